;; Row 4: gives its batch back, and never ends clearing up.

(func $post_process (param i32)
  (loop (br 0)))
