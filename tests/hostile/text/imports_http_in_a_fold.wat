;; Row 13: a fold that asks for the network.

(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance))
  (instance $plugin)
  (export "weir:plugin/folder@0.1.0" (instance $plugin)))
