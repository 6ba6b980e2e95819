"""The course: its assignments in teaching order, its dates and its policies."""

from autograde.course import Assignment, Course, Late, Reveal

COURSE = Course(
    name="llm-from-scratch",
    seed=2027,
    timezone="Europe/Berlin",
    reveal=Reveal.INPUT,
    late=Late(per_day=0.1, at_most=0.5),
    assignments=[
        Assignment("attention_head", title="One attention head", due="2027-02-08 23:59"),
        Assignment("rmsnorm", title="RMSNorm", due="2027-02-15 23:59"),
        Assignment("dpo", title="Direct preference optimisation", due="2027-02-22 23:59"),
        Assignment("grpo", title="Group relative policy optimisation", due="2027-03-01 23:59"),
    ],
)
