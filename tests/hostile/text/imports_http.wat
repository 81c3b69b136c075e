;; Row 13: asks for the network.

(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
