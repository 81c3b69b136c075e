//! Row 3: a decoder whose second file has another schema than its first, of forged names.

use hostile::Counter;
use hostile::decoder::*;

static FILES: Counter = Counter::new();

struct Hostile;

impl Decoder for Hostile {
    fn bind(_: String) -> Result<Vec<Field>, Error> {
        let name = match FILES.next() {
            1 => "text",
            _ => "text\n",
        };
        Ok(vec![Field {
            name: name.into(),
            data_type: DataType::Utf8,
            nullable: true,
            children: 0,
        }])
    }

    fn decode(_: Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
}

hostile::decoder!(Hostile);
