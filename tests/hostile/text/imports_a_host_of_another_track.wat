;; Row 13: asks for the host of a track that is not this one.

(component
  (import "weir:plugin/host@0.2.0" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
