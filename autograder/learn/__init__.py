"""The learner's side: `check()` in a cell, `autograder check`, `autograder learn`. Pure Python on every system."""
