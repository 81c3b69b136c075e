;; Row 4: never gets started.

(func $spin (loop (br 0)))
(start $spin)
