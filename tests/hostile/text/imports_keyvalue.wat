;; Row 13: asks for a store that outlives it.

(component
  (import "wasi:keyvalue/store@0.2.0" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
