// Every type.

use std::borrow::Cow;

use weir_plugin::rows::{
    Date, Decimal, FromRow, IntoRow, LocalTimestamp, Millisecond, Nanosecond, Second, Time,
    Timestamp,
};

#[derive(FromRow)]
struct Geo {
    lat: Option<f64>,
}

#[derive(FromRow)]
struct Address<'a> {
    street: Option<&'a str>,
    zip: i32,
    geo: Option<Geo>,
}

#[derive(FromRow)]
struct Geo2 {
    lat: Option<f64>,
}

#[derive(FromRow)]
struct Address2<'a> {
    street: Option<&'a str>,
    zip: i32,
    geo: Option<Geo2>,
}

#[derive(FromRow)]
struct Visits {
    at: Date,
}

#[derive(FromRow)]
struct Vec2<'a> {
    result: &'a str,
}

#[derive(FromRow)]
struct Option2<'a> {
    vec: Vec2<'a>,
}

#[derive(FromRow)]
struct InRow<'a> {
    flag: bool,
    maybe_flag: Option<bool>,
    int8: i8,
    maybe_int8: Option<i8>,
    int16: i16,
    maybe_int16: Option<i16>,
    int32: i32,
    maybe_int32: Option<i32>,
    int64: i64,
    maybe_int64: Option<i64>,
    uint8: u8,
    maybe_uint8: Option<u8>,
    uint16: u16,
    maybe_uint16: Option<u16>,
    uint32: u32,
    maybe_uint32: Option<u32>,
    uint64: u64,
    maybe_uint64: Option<u64>,
    float32: f32,
    maybe_float32: Option<f32>,
    float64: f64,
    maybe_float64: Option<f64>,
    text: &'a str,
    maybe_text: Option<&'a str>,
    bytes: &'a [u8],
    maybe_bytes: Option<&'a [u8]>,
    money: Decimal<12, 2>,
    maybe_money: Option<Decimal<12, 2>>,
    day: Date,
    maybe_day: Option<Date>,
    time_s: Time<Second>,
    maybe_time_s: Option<Time<Second>>,
    time_ms: Time<Millisecond>,
    maybe_time_ms: Option<Time<Millisecond>>,
    time_us: Time,
    maybe_time_us: Option<Time>,
    time_ns: Time<Nanosecond>,
    maybe_time_ns: Option<Time<Nanosecond>>,
    moment_s: Timestamp<Second>,
    maybe_moment_s: Option<Timestamp<Second>>,
    moment_ms: Timestamp<Millisecond>,
    maybe_moment_ms: Option<Timestamp<Millisecond>>,
    moment: Timestamp,
    maybe_moment: Option<Timestamp>,
    moment_ns: Timestamp<Nanosecond>,
    maybe_moment_ns: Option<Timestamp<Nanosecond>>,
    local: LocalTimestamp,
    maybe_local: Option<LocalTimestamp>,
    local_ns: LocalTimestamp<Nanosecond>,
    maybe_local_ns: Option<LocalTimestamp<Nanosecond>>,
    numbers: Vec<i64>,
    texts: Option<Vec<Option<&'a str>>>,
    octets: Vec<Option<u8>>,
    lists: Vec<Option<Vec<Date>>>,
    address: Address<'a>,
    #[row(rename = "Address")]
    address_2: Option<Address2<'a>>,
    visits: Option<Vec<Option<Visits>>>,
    #[row(rename = "type")]
    type_: i64,
    #[row(rename = "self")]
    self_: i64,
    #[row(rename = "TYPE")]
    type_2: i64,
    #[row(rename = "CLM_FROM_DT")]
    clm_from_dt: Option<&'a str>,
    #[row(rename = "zip code")]
    zip_code_2: Option<&'a str>,
    #[row(rename = "zip-code")]
    zip_code_3: Option<&'a str>,
    zip_code: Option<&'a str>,
    #[row(rename = "2008")]
    column_2008: i64,
    // "" is a column without a name, which is not read by rows: work on the batch for it.
    #[row(rename = "größe \"x\"\\\n")]
    gr_e_x: i64,
    option: Option2<'a>,
    // "half" is Float16, which is not read by rows: work on the batch for it.
    // "day64" is Date64, which is not read by rows: work on the batch for it.
    // "scaled" is Decimal128(5, -2), which is not read by rows: work on the batch for it.
    // "odd" is Struct("half": non-null Float16), which is not read by rows: work on the batch for it.
}

#[derive(IntoRow)]
struct OutAddress<'a> {
    system: Cow<'a, str>,
    raw: Option<Vec<u8>>,
}

#[derive(IntoRow)]
struct OutCodes<'a> {
    system: Cow<'a, str>,
    raw: Option<Vec<u8>>,
}

#[derive(IntoRow)]
struct OutRow<'a> {
    name: Cow<'a, str>,
    maybe_name: Option<Cow<'a, str>>,
    bytes: Vec<u8>,
    money: Option<Decimal<38, 0>>,
    moment: Timestamp,
    texts: Vec<Option<Cow<'a, str>>>,
    address: OutAddress<'a>,
    codes: Option<Vec<Option<OutCodes<'a>>>>,
    #[row(rename = "loop")]
    loop_: Option<bool>,
}
