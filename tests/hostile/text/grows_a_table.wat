;; Row 7: takes a thousand table elements at a time until there are none left.

(table $all 1 funcref)
(func $process (param i32 i32 i32 i32 i32) (result i32)
  (loop
    (br_if 0 (i32.ne (table.grow $all (ref.null func) (i32.const 1000)) (i32.const -1))))
  unreachable)
