;; Row 13: a source that asks for requests of another WASI than the one that is granted.

(component
  (import "wasi:http/client@0.3.0" (instance))
  (instance $plugin)
  (export "weir:plugin/source-plugin@0.1.0" (instance $plugin)))
