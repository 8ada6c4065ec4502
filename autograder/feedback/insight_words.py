"""What the pages of `autograder report` say. docs/report.md tells more of each figure."""

from __future__ import annotations

from autograder.text import Text

TITLE = Text("Report on {title}", "{title}：班级报告")
COURSE = Text("the course", "整个课程")
OTHER = Text("Exercises of no assignment", "不属于任何作业的练习")
FOR_INSTRUCTORS = Text(
    "For instructors: this page names hidden tests and diagnoses.",
    "供教师使用：本页含有隐藏测试的名称和诊断。",
)
CLASS = Text(
    "{students} students, {with_work} of them with something handed in here.",
    "共 {students} 名学生，其中 {with_work} 名在此提交过。",
)
BACK, PAGES = Text("The whole course", "整个课程"), Text("Pages", "各页")

SCORES = Text("Distribution of scores", "分数分布")
OF_FINAL = Text("The final grade of each student.", "每个学生的总成绩。")
OF_BEGUN = Text(
    "Each student's share of the points, over the assignments that anybody has begun, by their weights.",
    "每个学生在已有人开始的作业上的得分率，按权重计算。",
)
OF_MEAN = Text(
    "Each student's mean share of the points over the exercises.", "每个学生在各练习上的平均得分率。"
)
OF_ASSIGNMENT = Text(
    "Each student's share of the points. Who handed nothing in is not counted.",
    "每个学生的得分率。没有提交的学生不计入。",
)
SHARE, STUDENTS = Text("share of the points", "得分率"), Text("students", "学生数")
AND_MORE = Text("90 % and more", "90 % 及以上")
MEDIAN = Text(
    "Median {median}, middle half {low} to {high}, {n} students.",
    "中位数 {median}，中间一半在 {low} 到 {high} 之间，共 {n} 名学生。",
)

MAP = Text("Students and exercises", "学生与练习")
MAP_SAYS = Text(
    "Each cell is a share of the full points in percent; students with most points come first. Empty: nothing handed in, "
    "or not graded yet.",
    "每格是得分占满分的百分比；得分高的学生在前。空白：没有提交，或尚未评分。",
)
GROUPED = Text(
    "{students} students are too many to tell apart here: each row is the mean of up to {size} of them. students.csv has everybody.",
    "{students} 名学生太多，无法逐一显示：每行是最多 {size} 名学生的平均值。students.csv 里有每个人。",
)
ROWS, STUDENT, ALL = (
    Text("Students {first} to {last}", "第 {first}～{last} 名"),
    Text("student", "学生"),
    Text("all", "合计"),
)
CELL = Text("{student}, {exercise}: {share}", "{student}，{exercise}：{share}")
NOTHING = Text("nothing handed in, or not graded yet", "没有提交，或尚未评分")

EXERCISES, EXERCISE = Text("Exercises", "练习"), Text("exercise", "练习")
MEAN, KEYS = Text("mean share", "平均得分率"), Text("check the key", "请检查答案")
ALPHA, RELIABILITY = Text("alpha ± standard error", "alpha ± 标准误"), Text("Reliability", "信度")
ALPHA_IS = Text(
    "Cronbach's alpha {alpha} ± {error} (standard error), {n} students, {k} {items}.",
    "Cronbach's alpha 为 {alpha} ± {error}（标准误），{n} 名学生，{k} {items}。",
)
ALPHA_WARNS = Text("Under {enough} students it is uncertain.", "学生少于 {enough} 名时，它并不可靠。")
ALPHA_REFUSED = Text(
    "Cronbach's alpha is not told under {fewest} students who have all of it; here are {n}.",
    "完整做过的学生少于 {fewest} 名时，不给出 Cronbach's alpha；此处为 {n} 名。",
)
ALPHA_NONE = Text(
    "Cronbach's alpha is not defined here: it takes two {items} or more, and differences between students.",
    "此处没有 Cronbach's alpha：需要两项以上的{items}，且学生之间有差异。",
)
ITEM_TESTS, ITEM_EXERCISES = Text("tests", "项测试"), Text("exercises", "道练习")
OVER_EXERCISES = Text(
    "Over the exercises, among students who handed all of them in.", "以练习为单位，只计全部提交的学生。"
)
ATTEMPTED = Text("{n} students; tests at their first attempt.", "{n} 名学生；各项测试按首次尝试统计。")
EARLIER = Text(
    "The first attempt of {n} of them was graded with another version of the exercise.",
    "其中 {n} 名学生的首次尝试是用该练习的其他版本评分的。",
)

TEST, N = Text("test", "测试"), Text("n", "n")
PUBLIC, HIDDEN = Text("public", "公开"), Text("hidden", "隐藏")
RIGHT = Text("right at the first attempt, 95 % interval", "首次尝试通过率，95% 区间")
REST = Text("correlation with the rest", "与其余测试的相关")
ATTEMPTS, HOURS = (
    Text("median attempts to pass", "通过所需尝试次数（中位数）"),
    Text("median time to pass", "通过所需时间（中位数）"),
)
NEVER = Text("never passed", "始终未通过")
NOT_HALF = Text("not reached", "未达到")
NEXT_TO_NONE = Text("at once", "首次即过")
TIME_HOURS, TIME_DAYS = Text("{n} h", "{n} 小时"), Text("{n} d", "{n} 天")
LOOK = Text("Check the key", "请检查答案")
LOOK_WHY = Text(
    "Check the key of these tests: students who are good at the rest of the exercise fail them, or nobody who passes all "
    "other tests passes them.",
    "请检查这些测试的答案：在本练习其余部分表现好的学生反而没有通过，或者其余测试全部通过的学生无一通过它们。",
)
WAYS = Text("How tests were failed", "未通过的情况")
DIAGNOSIS, EXAMPLE = Text("diagnosis", "诊断"), Text("what one student was told", "某个学生看到的说明")
NO_DIAGNOSIS = Text("none", "无")
NOBODY = Text("Nobody has handed in anything that could be run.", "还没有人提交过可运行的内容。")

CLUSTERS = Text("Failures that no known mistake explains", "已知错误无法解释的失败")
CLUSTERS_SAY = Text(
    "Submissions whose failing tests were answered in the same way. Two or more may share a mistake worth a name: "
    "autograder audit {exercise} --learn SUBMISSIONS --out DRAFTS writes a draft of each.",
    "未通过的测试给出相同回答的提交归为一组。两份以上的可能有同一种值得命名的错误："
    "autograder audit {exercise} --learn SUBMISSIONS --out DRAFTS 会为每组写出草稿。",
)
NO_CLUSTERS = Text("There are none.", "没有。")
GROUP = Text("Group {i}, submissions: {n}", "第 {i} 组，提交数：{n}")
FAILS = Text("Fails: {tests}.", "未通过：{tests}。")
ONLY_ERRORS = Text(
    "There is no wrong answer among them that tells much: errors and empty answers can have many causes.",
    "其中没有能说明问题的错误回答：报错和空答案可能有多种原因。",
)
DIFFERENCE = Text("One of them, against {name}", "其中一份与 {name} 的差异")
