-- What each beneficiary cost, year by year. A claim of several segments is one claim, of the year in which it begins: a
-- second segment may have no dates, and its payment is the claim's.
with inpatient_claims as (
    select desynpuf_id, min(clm_from_dt) as from_dt, sum(clm_pmt_amt) as cost
    from cleansed.inpatient group by desynpuf_id, clm_id
), inpatient as (
    select desynpuf_id, cast(date_part('year', from_dt) as int) as year, count(*) as claims, sum(cost) as cost
    from inpatient_claims where from_dt is not null group by 1, 2
), outpatient_claims as (
    select desynpuf_id, min(clm_from_dt) as from_dt, sum(clm_pmt_amt) as cost
    from cleansed.outpatient group by desynpuf_id, clm_id
), outpatient as (
    select desynpuf_id, cast(date_part('year', from_dt) as int) as year, count(*) as claims, sum(cost) as cost
    from outpatient_claims where from_dt is not null group by 1, 2
), drugs as (
    select desynpuf_id, cast(date_part('year', srvc_dt) as int) as year,
           count(*) as events, sum(tot_rx_cst_amt) as cost
    from cleansed.prescription_drug group by 1, 2
), carrier as (
    select desynpuf_id, cast(date_part('year', clm_from_dt) as int) as year,
           count(*) as lines, sum(line_nch_pmt_amt) as cost
    from cleansed.carrier group by 1, 2
), costs as (
    select b.desynpuf_id, b.year,
           coalesce(i.claims, 0) as inpatient_claims,
           cast(coalesce(i.cost, 0) as decimal(14,2)) as inpatient_cost,
           coalesce(o.claims, 0) as outpatient_claims,
           cast(coalesce(o.cost, 0) as decimal(14,2)) as outpatient_cost,
           coalesce(d.events, 0) as drug_events,
           cast(coalesce(d.cost, 0) as decimal(14,2)) as drug_cost,
           coalesce(c.lines, 0) as carrier_lines,
           cast(coalesce(c.cost, 0) as decimal(14,2)) as carrier_cost
    from cleansed.beneficiary b
    left join inpatient  i on i.desynpuf_id = b.desynpuf_id and i.year = b.year
    left join outpatient o on o.desynpuf_id = b.desynpuf_id and o.year = b.year
    left join drugs      d on d.desynpuf_id = b.desynpuf_id and d.year = b.year
    left join carrier    c on c.desynpuf_id = b.desynpuf_id and c.year = b.year
)
select *, cast(inpatient_cost + outpatient_cost + drug_cost + carrier_cost as decimal(15,2)) as total_cost
from costs
