"""What runs beside the student's code, in process or confined: loading, seeding, the backward pass.

Pure Python and free of secrets: every line here is readable by a submission.
"""
