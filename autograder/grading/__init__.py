"""From a folder of submissions to results: collecting, confining, testing, diagnosing, scheduling."""
