;; Row 13: uses 64-bit memory.

(memory i64 1)
