"""LaTeX that draws and does nothing else: what a student's formula may be made of to be shown as one.

MathJax obeys more than mathematics: links, styles, classes, files to load, macros that spell any of these. So the list names
what is let through, and a formula with anything else in it is shown as it was typed.
"""

from __future__ import annotations

import re

LONGEST = 2000  # characters of a formula
_WORDS = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho varrho sigma
    varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
    ell hbar imath jmath Re Im aleph partial nabla infty emptyset varnothing prime angle triangle square top bot
    frac dfrac tfrac sqrt binom sum prod coprod int iint iiint oint bigcup bigcap bigoplus bigotimes bigvee bigwedge
    lim limsup liminf max min sup inf arg exp log ln lg sin cos tan cot sec csc sinh cosh tanh arcsin arccos
    arctan det dim ker gcd deg hom Pr operatorname limits nolimits mod bmod pmod
    cdot cdots ldots dots vdots ddots times div pm mp ast star circ bullet oplus ominus otimes odot cup cap setminus wedge
    vee land lor lnot neg wr amalg dagger
    le leq ge geq ne neq lt gt ll gg equiv sim simeq approx cong propto doteq prec succ preceq succeq subset supset subseteq
    supseteq in notin ni mid nmid parallel perp models vdash dashv forall exists nexists not therefore because
    to gets leftarrow rightarrow leftrightarrow Leftarrow Rightarrow Leftrightarrow longrightarrow longleftarrow
    Longrightarrow mapsto longmapsto uparrow downarrow updownarrow hookrightarrow rightharpoonup iff implies
    xrightarrow xleftarrow
    left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr langle rangle lfloor rfloor lceil rceil
    lvert rvert lVert rVert vert Vert lbrace rbrace lbrack rbrack backslash
    hat widehat tilde widetilde bar overline underline vec overrightarrow dot ddot acute grave breve check overbrace
    underbrace overset underset stackrel substack boldsymbol
    mathbb mathbf mathcal mathfrak mathit mathrm mathsf mathtt mathscr rm bf it text textbf textit textrm texttt mbox
    displaystyle textstyle scriptstyle quad qquad phantom hline begin end
"""
_ENVIRONMENTS = """
    matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix array cases aligned gathered split align align* equation
    equation* gather gather*
"""
SAFE = frozenset(_WORDS.split()) | frozenset(",;:!> {}|\\%#&_")
ENVIRONMENTS = frozenset(_ENVIRONMENTS.split())
_CONTROL = re.compile(r"\\([A-Za-z]+|.|$)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{([^{}]*)\}")


def is_safe(formula: str) -> bool:
    """Whether every control word of a formula is in the list."""
    words = _CONTROL.findall(formula)
    named = _ENVIRONMENT.findall(formula)
    return (
        len(formula) <= LONGEST
        and SAFE.issuperset(words)
        and len(named) == words.count("begin") + words.count("end")
        and ENVIRONMENTS.issuperset(named)
    )
