"""What the pages that a student gets back say beside what was recorded."""

from __future__ import annotations

from autograder.results import Status
from autograder.text import Text

ALL = Text("All assignments", "全部作业")
ASSIGNMENT = Text("Assignment", "作业")
EXERCISE = Text("Exercise", "练习")
QUESTION = Text("Question", "题目")
POINTS = Text("Points", "得分")
STATE = Text("State", "状态")
DUE = Text("Due", "截止")
OF = Text("{score} of {max_score} points", "{score} 分（满分 {max_score}）")
UNKNOWN = Text("not known yet", "待定")
HOW = Text("How these points come about", "得分是怎么来的")
COURSE_GRADE = Text("How the grade for the course comes about", "课程成绩是怎么来的")
FILE = Text("Graded: {file}", "评分的文件：{file}")
LESSON = Text("Lesson", "讲义")
STATEMENT = Text("Statement of the exercise", "题目")
WRONG = Text("What went wrong", "哪里出了问题")
KNOWN = Text("Known mistake", "常见错误")
SEEN = Text("It shows in:", "体现在这些测试中：")
FAILED = Text("Not passed:", "没有通过：")
CASES = Text("{missed} of {cases} cases", "{cases} 组数据中的 {missed} 组")
SO_MANY, ONE = Text("{points} points", "{points} 分"), Text("{points} point", "{points} 分")
LEFT_OUT = Text("Not begun", "还没有开始")
NOT_BEGUN = Text("not begun", "未动笔")
PASSED = Text("What was passed", "通过的测试")
GIVEN = Text("Points given or taken by hand", "人工加分或扣分")
UNPLACED = Text("Handed in, but not graded", "提交了但没有评分的文件")
RENAME = Text(
    "If one of these files answers an exercise, give it the exercise's name and hand it in again.",
    "如果其中有某道练习的答案，请用该练习的名字命名后重新提交。",
)
LOOKS_LIKE = Text("looks like {exercises}", "像是 {exercises}")
NOTHING = Text("Nothing has been graded yet.", "目前还没有评分结果。")
STATES = {
    Status.GRADED: Text("graded", "已评分"),
    Status.NOT_BEGUN: NOT_BEGUN,
    Status.INVALID: Text("could not be run", "无法运行"),
    Status.MISSING: Text("not handed in", "未提交"),
    Status.UNGRADED: Text("not graded yet", "尚未评分"),
}
