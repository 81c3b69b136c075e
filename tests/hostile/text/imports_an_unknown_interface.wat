;; Row 13: asks for an interface that the contract does not have.

(component
  (import "weir:plugin/network@0.1.0" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
