;; Row 11: traps when it is started.

(func $trap unreachable)
(start $trap)
