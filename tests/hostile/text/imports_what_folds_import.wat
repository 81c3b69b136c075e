;; Row 13: a source that asks for what folds may import.

(component
  (import "weir:plugin/folding@0.1.0" (instance))
  (instance $plugin)
  (export "weir:plugin/source-plugin@0.1.0" (instance $plugin)))
