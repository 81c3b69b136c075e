-- What the model knows of a beneficiary in a year, and what the year cost the beneficiary. A code's
-- index is its place among the codes of its set, in their order, from 0: it does not depend on the
-- rows, so that models of different rows can be compared. Of a beneficiary all years are on one side
-- of the split: 0xb3333333 is 70 % of 2^32.
-- A claim of several segments is one claim, and is made one first: counting distinct claims would
-- hold a set of them for each beneficiary.
with claims as (
    select desynpuf_id, clm_id,
           max(clm_from_dt) as from_dt,
           max(case when icd9_dgns_cd_1 is not null then 1 else 0 end) as has_dx,
           max(case when icd9_prcdr_cd_1 is not null then 1 else 0 end) as has_px,
           max(case when hcpcs_cd_1 is not null then 1 else 0 end) as has_hcpcs
    from cleansed.inpatient
    group by desynpuf_id, clm_id
), patients as (
    select desynpuf_id,
           max(from_dt) as last_claim,
           sum(has_dx) as dx_claims,
           sum(has_px) as px_claims,
           sum(has_hcpcs) as hcpcs_claims
    from claims
    group by desynpuf_id
)
select b.desynpuf_id,
       b.year,
       cast(b.bene_sex_ident_cd as int) - 1 as gender,
       strpos('1235', b.bene_race_cd) - 1 as race,
       cast(b.sp_state_code as int) - 1 as state,
       cast(b.sp_alzhdmta as int) - 1 as sp_alzhdmta,
       cast(b.sp_chf as int) - 1 as sp_chf,
       cast(b.sp_chrnkidn as int) - 1 as sp_chrnkidn,
       cast(b.sp_cncr as int) - 1 as sp_cncr,
       cast(b.sp_copd as int) - 1 as sp_copd,
       cast(b.sp_depressn as int) - 1 as sp_depressn,
       cast(b.sp_diabetes as int) - 1 as sp_diabetes,
       cast(b.sp_ischmcht as int) - 1 as sp_ischmcht,
       cast(b.sp_osteoprs as int) - 1 as sp_osteoprs,
       cast(b.sp_ra_oa as int) - 1 as sp_ra_oa,
       cast(b.sp_strketia as int) - 1 as sp_strketia,
       cast(cast(p.last_claim as int) - cast(b.bene_birth_dt as int) as double) / 365 as age_yrs,
       p.dx_claims,
       p.px_claims,
       p.hcpcs_claims,
       b.benres_ip as annual_cost,
       case when substr(md5(concat(cast($seed as varchar), ':', b.desynpuf_id)), 1, 8) < 'b3333333'
            then 'train' else 'held-out' end as split
from cleansed.beneficiary b
join patients p on p.desynpuf_id = b.desynpuf_id
