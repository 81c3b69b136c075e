;; Row 11: calls an empty place of a table.

(type $any (func))
(table $mine 1 funcref)
(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call_indirect $mine (type $any) (i32.const 0))
  (i32.const 4096))
