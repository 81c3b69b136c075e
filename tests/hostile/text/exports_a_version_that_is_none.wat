;; Row 13: a transform of a version whose patch no number can hold.

(component
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (instance $transformer
    (export "describe" (func $f)) (export "bind" (func $f))
    (export "process" (func $f)) (export "finish" (func $f)))
  (export "weir:plugin/transformer@0.1.99999999999" (instance $transformer)))
