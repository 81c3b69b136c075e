;; Row 9: a line of log past the end of memory.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (call $log (i32.const 0) (i32.const 0xfffffff0) (i32.const 0x100))
  (i32.const 4096))
