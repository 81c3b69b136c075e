;; Row 11: calls a function through a table as if it were of another type.

(type $other (func (param f64) (result f64)))
(table $mine 1 funcref)
(elem (table $mine) (i32.const 0) func $finish)
(func $process (param i32 i32 i32 i32 i32) (result i32)
  (drop (call_indirect $mine (type $other) (f64.const 1) (i32.const 0)))
  (i32.const 4096))
