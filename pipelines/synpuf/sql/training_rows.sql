select gender, race, state, sp_alzhdmta, sp_chf, sp_chrnkidn, sp_cncr, sp_copd, sp_depressn,
       sp_diabetes, sp_ischmcht, sp_osteoprs, sp_ra_oa, sp_strketia, age_yrs, dx_claims,
       px_claims, hcpcs_claims,
       annual_cost
from curated.features
where split = 'train'
