"""Statistics that may be watched: pure functions over columns of users, each with the source of its formula.

Importing a module of this package loads neither numpy nor scipy: both are loaded by the first function that needs
them, so that a process which never analyses an experiment never has them.

- columns: `Numbers`, `column`, `counts`, `total`
- means: `ArmMean`, `Effect`, `Comparison`, `Bound`, `arm_mean`, `mean_of`, `compare`, `effect`, `one_sided`, `p_floor`
- sequential: `Anytime`, `anytime`, `anytime_bound`, `information`, `Rule`, `planned_rule`, `early_rule`
- balance: `Balance`, `balance`, `combined`, `log_e_value`, `chi_square`
- harm: `Harm`, `harm`, `harm_by_users`, `crowding`
- proportions: `Share`, `ShareDifference`, `compare_shares`, `newcombe`, `pooled_z`, `fisher_p`
- noninferiority: `Guard`, `non_inferiority`
- quantiles: `arm_quantile`, `fewest_requests`, `ADVISED`
- cuped: `Covaried`, `Adjusted`, `adjusted`, `theta`, `taken_out`
- multiplicity: `holm`, `benjamini_hochberg`
- outliers: `winsorised`
- power: `Wish`, `sample_size`, `power_at`, `smallest_effect`, `smallest_relative_effect`, `results_needed`
- phases: `PhaseMeans`, `compare_phases`
- beliefs: `Belief`, `belief`
- offpolicy: `Replayed`, `compare_choices`, `Comparison`, `Worth`
- ratios: `Moments`, `ratio_mean`, `residuals`
- distributions: the normal, Student's t, χ² and beta, and how p-values are held within [1e-300, 1]
"""
