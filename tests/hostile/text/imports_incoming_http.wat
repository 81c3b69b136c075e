;; Row 13: a source that asks to be called by others.

(component
  (import "wasi:http/incoming-handler@0.2.0" (instance))
  (instance $plugin)
  (export "weir:plugin/source-plugin@0.1.0" (instance $plugin)))
