;; Row 9: a line of log that is not UTF-8.

(func $process (param i32 i32 i32 i32 i32) (result i32)
  (i32.store (i32.const 8192) (i32.const 0xffc080ff))
  (call $log (i32.const 0) (i32.const 8192) (i32.const 4))
  (i32.const 4096))
