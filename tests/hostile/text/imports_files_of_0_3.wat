;; Row 13: asks for files of another version.

(component
  (import "wasi:filesystem/types@0.3.0" (instance))
  (instance $transformer)
  (export "weir:plugin/transformer@0.1.0" (instance $transformer)))
