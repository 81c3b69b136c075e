;; Row 5: fills a table of a hundred thousand elements, for ever.

(table $all 90000 funcref)
(func $process (param i32 i32 i32 i32 i32) (result i32)
  (loop
    (table.fill $all (i32.const 0) (ref.null func) (i32.const 90000))
    (br 0))
  unreachable)
