-- What the pipeline billing has to make of the files, as PostgreSQL sees it: the test copies each file into
-- `sent.incoming` and takes it with `sent.take`. `$IPAD` and `$OPAD` are the key of the masks, as RFC 2104 pads it.

-- What is known of the views' sizes is nothing: a nested loop would make all codes anew for each fact.
alter role current_user set enable_nestloop = off;

create schema sent;
create schema good;

create function good.hmac(value text) returns text immutable language sql as $$
  select encode(sha256('\x$OPAD'::bytea || sha256('\x$IPAD'::bytea || convert_to(value, 'UTF8'))), 'hex') $$;

create function good.day(value text, form text) returns date immutable language plpgsql as $$
begin
  if to_char(to_date(value, form), form) = value then
    return to_date(value, form);
  end if;
  return null;
exception when others then return null;
end $$;

create function good.money(value text) returns numeric immutable language sql as $$
  select case
    when coalesce(trim(value), '') = '' then 0.00
    when trim(value) ~ '^(-?\$?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]{1,2})?|\(\$?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]{1,2})?\))$'
      then (case when trim(value) ~ '^[(-]' then -1 else 1 end) * regexp_replace(value, '[^0-9.]', '', 'g')::numeric(12,2)
  end $$;

create function good.code(value text) returns text immutable language sql as $$ select upper(nullif(trim(value), '')) $$;

create function good.words(value text) returns text immutable language sql as $$ select nullif(trim(value), '') $$;

-- Whether a text is a number of so many digits after the point at most.
create function good.is_number(value text, digits int) returns boolean immutable language sql as $$
  select trim(value) ~ ('^-?[0-9]+' || case digits when 0 then '' else '(\.[0-9]{1,' || digits || '})?' end || '$') $$;

create table sent.fact_table (pk text, patient text, physician text, post text, service text, cpt text, payer text, transaction text, location text, number text, diagnosis text, units text, charge text, payment text, adjustment text, ar text);
create table sent.dim_patient (pk text, number text, first text, last text, email text, gender text, age text, city text, state text);
create table sent.dim_physician (pk text, npi text, name text, specialty text, fte text);
create table sent.dim_transaction (pk text, type text, transaction text, reason text);
create table sent.dim_payer (pk text, name text);
create table sent.dim_location (pk text, name text);
create table sent.dim_date (pk text, date text, year text, month text, period text, month_year text, day text, day_name text);
create table sent.dim_cpt_code (pk text, code text, words text, grouping_name text);
create table sent.dim_diagnosis_code (pk text, code text, words text, group_name text);

-- The rows of a file whose keys can be told apart take the place of those that are there.
create procedure sent.take(kind text) language plpgsql as $$
begin
  execute format('create temp table taken as select * from sent.incoming where pk ~ %L and
    pk in (select pk from sent.incoming group by pk having count(*) = 1)', '^(0|-?[1-9][0-9]*)$');
  execute format('delete from sent.%I where pk in (select pk from taken)', kind);
  execute format('insert into sent.%I select * from taken', kind);
  drop table taken;
  drop table sent.incoming;
end $$;

create view good.dim_patient as
  select pk::bigint, good.words(number) as number, good.hmac(first) as first, good.hmac(last) as last, good.hmac(email) as email,
         gender, age::smallint, city, good.code(state) as state
  from sent.dim_patient
  where number is not null and (age is null or good.is_number(age, 0) and age::int between 0 and 130);
create view good.dim_physician as
  select pk::bigint, npi, name, specialty, fte::numeric(5,2) from sent.dim_physician where fte is null or good.is_number(fte, 2);
create view good.dim_transaction as
  select pk::bigint, type, transaction, reason from sent.dim_transaction where type is not null;
create view good.dim_payer as select pk::bigint, name from sent.dim_payer where name is not null;
create view good.dim_location as select pk::bigint, name from sent.dim_location where name is not null;
create view good.dim_date as
  select pk::int, good.day(date, 'MM/DD/YYYY') as date, year::smallint, month, period, month_year, day::smallint, day_name
  from sent.dim_date where to_char(good.day(date, 'MM/DD/YYYY'), 'YYYYMMDD') = pk;
create view good.dim_cpt_code as
  select pk::bigint, good.code(code) as code, words, grouping_name from sent.dim_cpt_code where code is not null;
create view good.dim_diagnosis_code as
  select pk::bigint, good.code(code) as code, words, group_name from sent.dim_diagnosis_code where code is not null;

create view good.fact_table as
  select f.pk::bigint, patient::bigint, physician::bigint, post::int, service::int, cpt::bigint, payer::bigint,
         f.transaction::bigint, location::bigint, good.words(f.number) as number, diagnosis::bigint, units::numeric(12,2),
         good.money(charge) as charge, good.money(payment) as payment, good.money(adjustment) as adjustment,
         good.money(ar) as ar
  from sent.fact_table f
  where good.is_number(units, 2)
    and good.money(charge) + good.money(payment) + good.money(adjustment) = good.money(ar)
    and (good.money(charge) < 0 or good.money(payment) <= 0 and good.money(adjustment) <= 0)
    and good.day(post, 'YYYYMMDD') is not null and good.day(service, 'YYYYMMDD') is not null
    and post in (select pk::text from good.dim_date) and service in (select pk::text from good.dim_date)
    and patient in (select pk::text from good.dim_patient) and physician in (select pk::text from good.dim_physician)
    and cpt in (select pk::text from good.dim_cpt_code) and payer in (select pk::text from good.dim_payer)
    and f.transaction in (select pk::text from good.dim_transaction)
    and location in (select pk::text from good.dim_location) and diagnosis in (select pk::text from good.dim_diagnosis_code);

create view good.daily_billing as
  select date, count(*), count(distinct patient) as patients, sum(charge) as charge, sum(payment) as payment, sum(adjustment) as adjustment, sum(ar) as ar
  from good.fact_table f join good.dim_date d on d.pk = f.post group by 1;
create view good.monthly_billing as
  select left(post::text, 4) || '-' || substr(post::text, 5, 2) as month, count(*), count(distinct patient) as patients, sum(charge) as charge, sum(payment) as payment, sum(adjustment) as adjustment, sum(ar) as ar
  from good.fact_table group by 1;
create view good.collected as
  select f.*, -payment as collected, -adjustment as adjusted, ar as pending from good.fact_table f;
create view good.collected_by_payer as
  select p.pk, p.name, count(*), count(distinct patient) as patients, sum(charge) as charge, sum(collected) as collected, sum(adjusted) as adjusted, sum(pending) as pending,
         round(sum(collected) * 100 / nullif(sum(collected + pending), 0), 2) as percent
  from good.collected f join good.dim_payer p on p.pk = f.payer group by 1, 2;
create view good.collected_by_location as
  select p.pk, p.name, count(*), count(distinct patient) as patients, sum(charge) as charge, sum(collected) as collected, sum(adjusted) as adjusted, sum(pending) as pending,
         round(sum(collected) * 100 / nullif(sum(collected + pending), 0), 2) as percent
  from good.collected f join good.dim_location p on p.pk = f.location group by 1, 2;
create view good.collected_by_physician as
  select p.pk, p.npi, p.name, p.specialty, count(*), count(distinct patient) as patients, sum(charge) as charge, sum(collected) as collected, sum(adjusted) as adjusted, sum(pending) as pending,
         round(sum(collected) * 100 / nullif(sum(collected + pending), 0), 2) as percent
  from good.collected f join good.dim_physician p on p.pk = f.physician group by 1, 2, 3, 4;
create view good.collected_by_specialty as
  select p.specialty, count(*), count(distinct patient) as patients, sum(charge) as charge, sum(collected) as collected, sum(adjusted) as adjusted, sum(pending) as pending,
         round(sum(collected) * 100 / nullif(sum(collected + pending), 0), 2) as percent
  from good.collected f join good.dim_physician p on p.pk = f.physician group by 1;
create view good.shared_patient_numbers as
  select number, count(*) from good.dim_patient group by 1 having count(*) > 1;
