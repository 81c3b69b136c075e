-- What each table should have of what its source has, and what it has: both are counted, in the tables as this run has
-- left them. A source that is as it was in the run before, and so is its table, was skipped.
with silver_mark as (
    select sum(cast(cast(metadata_modified_at as bigint) as decimal(20,0))) as mark from silver.treatments
),
gold_mark as (
    select sum(cast(cast(modified_at as bigint) as decimal(20,0))) as mark from gold.fact_treatments
),
date_keys as (
    select cast(date_part('year', treatment_start_date) * 10000 + date_part('month', treatment_start_date) * 100 + date_part('day', treatment_start_date) as int) as k from silver.treatments where treatment_start_date is not null
    union
    select cast(date_part('year', treatment_completion_date) * 10000 + date_part('month', treatment_completion_date) * 100 + date_part('day', treatment_completion_date) as int) as k from silver.treatments where treatment_completion_date is not null
    union
    select cast(date_part('year', treatment_outcome_date) * 10000 + date_part('month', treatment_outcome_date) * 100 + date_part('day', treatment_outcome_date) as int) as k from silver.treatments where treatment_outcome_date is not null
),
time_keys as (
    select cast(date_part('hour', treatment_start_date) * 10000 + date_part('minute', treatment_start_date) * 100 + floor(date_part('second', treatment_start_date)) as int) as k from silver.treatments where treatment_start_date is not null
    union
    select cast(date_part('hour', treatment_completion_date) * 10000 + date_part('minute', treatment_completion_date) * 100 + floor(date_part('second', treatment_completion_date)) as int) as k from silver.treatments where treatment_completion_date is not null
    union
    select cast(date_part('hour', treatment_outcome_date) * 10000 + date_part('minute', treatment_outcome_date) * 100 + floor(date_part('second', treatment_outcome_date)) as int) as k from silver.treatments where treatment_outcome_date is not null
),
counted as (
    -- An item is loaded if silver has it so, or as it was modified later. What was not typed was rejected.
    select 1 as place, 'treatments' as table_name, 'bronze' as source_layer, 'silver' as destination_layer,
           (select count(*) from bronze.treatments) as source_count,
           (select count(*) from bronze.treatments) - count(*) as rejected_count,
           count(t.treatment_id) as destination_count,
           sum(cast(cast(i.metadata_modified_at as bigint) as decimal(20,0))) as source_mark
    from silver.items i
    left join silver.treatments t on t.treatment_id = i.treatment_id and t.metadata_modified_at >= i.metadata_modified_at
    union all
    select 2, 'dim_dates', 'silver', 'gold', count(*), 0, count(d.date_key),
           (select mark from silver_mark)
    from date_keys k left join gold.dim_dates d on d.date_key = k.k
    union all
    select 3, 'dim_times', 'silver', 'gold', count(*), 0, count(d.time_key),
           (select mark from silver_mark)
    from time_keys k left join gold.dim_times d on d.time_key = k.k
    union all
    select 4, 'dim_treatment_types_and_outcome_statuses', 'silver', 'gold', count(*), 0, count(d.type_and_status_key),
           (select mark from silver_mark)
    from (select distinct treatment_type, treatment_outcome_status from silver.treatments) k
    left join gold.dim_treatment_types_and_outcome_statuses d
        on d.treatment_type = k.treatment_type and d.outcome_status = k.treatment_outcome_status
    union all
    select 5, 'dim_locations', 'silver', 'gold', count(*), 0, count(d.location_id),
           (select mark from silver_mark)
    from (select distinct location_id as k from silver.treatments) k
    left join gold.dim_locations d on d.location_id = k.k
    union all
    select 6, 'dim_specialities', 'silver', 'gold', count(*), 0, count(d.speciality_id),
           (select mark from silver_mark)
    from (select provider_speciality_id as k from silver.treatments
          union select disease_speciality_id from silver.treatments where disease_speciality_id is not null) k
    left join gold.dim_specialities d on d.speciality_id = k.k
    union all
    select 7, 'dim_providers', 'silver', 'gold', count(*), 0, count(d.provider_id),
           (select mark from silver_mark)
    from (select distinct provider_id as k from silver.treatments) k
    left join gold.dim_providers d on d.provider_id = k.k
    union all
    select 8, 'dim_patients', 'silver', 'gold', count(*), 0, count(d.patient_id),
           (select mark from silver_mark)
    from (select distinct patient_id as k from silver.treatments) k
    left join gold.dim_patients d on d.patient_id = k.k
    union all
    select 9, 'dim_diseases', 'silver', 'gold', count(*), 0, count(d.disease_id),
           (select mark from silver_mark)
    from (select distinct disease_id as k from silver.treatments) k
    left join gold.dim_diseases d on d.disease_id = k.k
    union all
    select 10, 'fact_treatments', 'silver', 'gold', count(*), 0, count(f.treatment_id),
           (select mark from silver_mark)
    from silver.treatments s
    left join gold.fact_treatments f on f.treatment_id = s.treatment_id and f.modified_at = s.metadata_modified_at
    union all
    select 11, 'provider_treatment_rank', 'gold', 'analytics', (select count(*) from gold.fact_treatments), 0, coalesce(sum(total_treatments), 0),
           (select mark from gold_mark)
    from analytics.provider_treatment_rank
    union all
    select 12, 'provider_success_rate_rank', 'gold', 'analytics', (select count(*) from gold.fact_treatments), 0, coalesce(sum(total_treatments), 0),
           (select mark from gold_mark)
    from analytics.provider_success_rate_rank
    union all
    select 13, 'monthly_treatment_trends', 'gold', 'analytics', (select count(*) from gold.fact_treatments), 0, coalesce(sum(total_treatments), 0),
           (select mark from gold_mark)
    from analytics.monthly_treatment_trends
    union all
    select 14, 'geographical_treatment_distribution', 'gold', 'analytics', (select count(*) from gold.fact_treatments), 0, coalesce(sum(total_treatments), 0),
           (select mark from gold_mark)
    from analytics.geographical_treatment_distribution
    union all
    select 15, 'summary_avg_treatment_cost', 'gold', 'analytics', (select count(*) from gold.fact_treatments), 0, coalesce(sum(total_treatments), 0),
           (select mark from gold_mark)
    from analytics.summary_avg_treatment_cost
    union all
    select 16, 'summary_total_treatments_per_city', 'gold', 'analytics', (select count(*) from gold.fact_treatments), 0, coalesce(sum(total_treatments), 0),
           (select mark from gold_mark)
    from analytics.summary_total_treatments_per_city
    union all
    select 17, 'summary_provider_success_rates', 'gold', 'analytics', (select count(*) from gold.fact_treatments), 0, coalesce(sum(total_treatments), 0),
           (select mark from gold_mark)
    from analytics.summary_provider_success_rates
),
before as (
    select table_name, source_count, rejected_count, destination_count, source_mark
    from gold.etl_tracker
    where run_number = (select max(run_number) from gold.etl_tracker)
)
select
    (select coalesce(max(run_number), 0) + 1 from gold.etl_tracker) as run_number,
    cast(c.place as int) as place,
    c.table_name,
    c.source_layer,
    c.destination_layer,
    case
        when c.source_count <> c.destination_count + c.rejected_count then 'MISMATCH'
        when b.table_name is not null then 'SKIPPED'
        else 'MATCH'
    end as status,
    c.source_count,
    c.rejected_count,
    c.destination_count,
    cast(c.source_mark as decimal(38,0)) as source_mark,
    cast(now() as timestamp(6)) as completed_at
from counted c
left join before b on b.table_name = c.table_name and b.source_count = c.source_count
    and b.rejected_count = c.rejected_count and b.destination_count = c.destination_count
    and b.source_mark is not distinct from cast(c.source_mark as decimal(38,0))
