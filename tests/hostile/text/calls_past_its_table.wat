;; Row 11: calls what lies past the end of a table.

(type $any (func))
(table $mine 1 funcref)
(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call_indirect $mine (type $any) (i32.const 0x7fffffff))
  (i32.const 4096))
