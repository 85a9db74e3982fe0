"""Words that tell what a prompt asks for, in the languages that most prompts are written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

# Words in lower case by their strength, in hundredths so that sums do not depend on the order in which they are met.
_REASONING = {
    100: """
        prove proof proofs derive derivation design architect architecture architectures refactor refactoring optimize
        optimise optimization optimisation strategy negotiate diagnose synthesize synthesise formalize formalise
        beweise beweisen entwirf entwerfen entwickle architektur optimiere herleiten
        démontre démontrer démontrez prouve prouver prouvez conçois concevoir concevez optimiser
        demuestra demostrar diseña diseñar optimiza optimizar refactoriza projete projetar demonstre otimize
        dimostra dimostrare progetta progettare ottimizza bewijs ontwerp udowodnij zaprojektuj tasarla
        докажи докажите спроектируй спроектируйте разработай разработайте оптимизируй выведи""",
    70: """
        analyze analyse evaluate critique investigate debug implement migrate deduce infer justify rigorous rigorously
        thorough thoroughly comprehensive tradeoff tradeoffs
        analysiere analysieren bewerte implementiere implementieren begründe umfassend
        analyser analysez évalue évaluer implémente implémenter justifie
        analiza analizar evalúa evaluar implementa implementar justifica analise avalie analizza valuta
        проанализируй проанализируйте реализуй обоснуй""",
    40: """
        analysis implementation migration plan algorithm algorithms complexity scalable distributed concurrent
        microservices compare contrast compute solve determine suppose assume consequences implications
        algorithmus vergleiche vergleichen löse lösen algorithme comparer comparez résous résoudre
        algoritmo compara comparar resuelve resolver resolva confronta risolvi алгоритм сравни сравните реши решите""",
    25: """
        explain why reason reasoning calculate logic logical hypothesis argument therefore
        erkläre erklären warum berechne berechnen explique expliquer expliquez pourquoi calcule calculer
        explica explicar calcula calcular spiega spiegare perché calcola
        объясни объясните почему вычисли""",
}
_MATHEMATICS = {
    100: """
        theorem lemma corollary integral integrals derivative eigenvalue eigenvalues eigenvector polynomial
        polynomials topology manifold homomorphism isomorphism factorization convergence stochastic differential
        hamiltonian lagrangian wavefunction stoichiometry asymptotic probability fraction logarithm
        satz ableitung wahrscheinlichkeit théorème intégrale dérivée probabilité teorema derivada probabilidad
        probabilidade probabilità интеграл теорема производная вероятность""",
    50: """
        equation equations matrix vector modulo algebra geometry calculus triangle polygon prime primes divisible
        remainder integer integers permutation combinations expected variance velocity acceleration equilibrium
        molar enthalpy gradient sqrt frac percent percentage ratio average
        gleichung prozent équation pourcentage ecuación porcentaje equação equazione уравнение процент""",
    25: """
        sum times half total number numbers digits per each remaining angle area volume rate speed
        summe durchschnitt somme moyenne suma promedio soma somma сумма""",
}
_CODE = {
    50: """
        python javascript typescript java rust golang kotlin swift haskell bash powershell sql html css json yaml
        function functions method class classes code codebase compile compiler debug bug exception traceback api
        endpoint database query regex unittest pytest script program programming array arrays string tuple dict
        async await coroutine mutex deadlock segfault recursion decorator dockerfile kubernetes
        def import return int void const println printf lambda
        funktion fonction función função funzione функция код""",
}
_CONSTRAINTS = {
    50: """
        must exactly strictly ensure require required requirements constraint constraints satisfying
        müssen genau doit doivent exactement debe deben exactamente deve devem должен должны ровно""",
    25: """
        only least avoid format bullet markdown table sentences paragraphs not never except clues
        ohne mindestens höchstens sans sauf seulement sin solo sem apenas senza без только""",
}
_FOREIGN = {
    50: """
        der das und ist nicht ein eine einen für wie wird sind auf zu von
        le les est une des dans pour qui sur avec ce cette quel quelle comment
        el los las una por para con como qué cómo cuál
        os uma não são você
        il gli che di è sono della
        het een niet van voor jest się nie jak że ja och att är bir için nedir
        что как это для или""",
    25: """
        la de del du es un""",
}

PARTS_OF_WORDS = ("reasoning", "mathematics", "code", "constraints", "language")
"""The parts of the score that words speak for; `WORDS` refers to them by position."""

INSIDE: tuple[tuple[str, int, int], ...] = (
    ("证明", 0, 100),
    ("證明", 0, 100),
    ("証明", 0, 100),
    ("증명", 0, 100),
    ("设计", 0, 100),
    ("設計", 0, 100),
    ("설계", 0, 100),
    ("重构", 0, 100),
    ("优化", 0, 100),
    ("最適化", 0, 100),
    ("分析", 0, 70),
    ("분석", 0, 70),
    ("实现", 0, 70),
    ("実装", 0, 70),
    ("比较", 0, 40),
    ("比較", 0, 40),
    ("解释", 0, 25),
    ("説明", 0, 25),
    ("설명", 0, 25),
    ("为什么", 0, 25),
    ("なぜ", 0, 25),
    ("计算", 0, 25),
    ("計算", 0, 25),
    ("定理", 1, 100),
    ("积分", 1, 100),
    ("積分", 1, 100),
    ("方程", 1, 50),
    ("概率", 1, 100),
    ("確率", 1, 100),
    ("函数", 2, 50),
    ("関数", 2, 50),
    ("代码", 2, 50),
    ("コード", 2, 50),
    ("必须", 3, 50),
    ("必ず", 3, 50),
    ("不要", 3, 25),
)
"""`(term, position in PARTS_OF_WORDS, strength)` for Chinese, Japanese and Korean, which set few spaces."""


def _entries() -> Iterator[tuple[bytes, tuple[int, int]]]:
    lists = (_REASONING, _MATHEMATICS, _CODE, _CONSTRAINTS, _FOREIGN)
    for position, by_strength in enumerate(lists):
        for strength, words in by_strength.items():
            for word in words.split():
                yield word.encode(), (position, strength)


def _by_word() -> Mapping[bytes, tuple[tuple[int, int], ...]]:
    found: dict[bytes, dict[int, int]] = {}
    for word, (position, strength) in _entries():
        parts = found.setdefault(word, {})
        parts[position] = max(parts.get(position, 0), strength)
    return MappingProxyType({word: tuple(parts.items()) for word, parts in found.items()})


WORDS = _by_word()
"""UTF-8 word in lower case to `(position in PARTS_OF_WORDS, strength)` pairs."""
KNOWN = frozenset(WORDS)
