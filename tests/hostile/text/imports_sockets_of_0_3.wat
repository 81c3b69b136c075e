;; Row 13: asks for sockets of another version.

(component
  (import "wasi:sockets/types@0.3.0" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
