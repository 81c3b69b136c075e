;; Row 7: grows two memories in turn.

(memory $one 1)
(memory $two 1)
(func $process (param i32 i32 i32 i32 i32) (result i32)
  (loop
    (br_if 0 (i32.and
      (i32.ne (memory.grow $one (i32.const 16)) (i32.const -1))
      (i32.ne (memory.grow $two (i32.const 16)) (i32.const -1)))))
  unreachable)
