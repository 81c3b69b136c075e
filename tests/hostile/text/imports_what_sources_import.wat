;; Row 13: a fold that asks for what sources may import.

(component
  (import "weir:plugin/sourcing@0.1.0" (instance))
  (instance $plugin)
  (export "weir:plugin/folder@0.1.0" (instance $plugin)))
