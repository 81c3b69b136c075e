;; Row 11: reads at the last address that 32 bits and an offset can name.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (drop (i32.load offset=0xffffffff (i32.const 0xffffffff)))
  (i32.const 4096))
