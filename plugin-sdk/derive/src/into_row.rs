//! `Row` → the code of `IntoRow`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::row::{Row, RowField, Source};

pub(crate) fn expand(row: &Row) -> TokenStream {
    let Row {
        ident,
        visibility,
        lifetime,
        fields,
        ..
    } = row;
    let sdk = row.sdk(Span::call_site());
    let parameters = lifetime.as_ref().map(|lifetime| quote!(<#lifetime>));
    let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let parts: Vec<_> = fields.iter().map(|field| Parts::of(field, row)).collect();
    let types = parts.iter().map(|parts| &parts.builder);
    let schemas = parts.iter().map(|parts| &parts.schema);
    let begins = parts.iter().map(|parts| &parts.begin);
    let appends = parts.iter().map(|parts| &parts.append);
    let nulls = parts.iter().map(|parts| &parts.null);
    let ends = parts.iter().map(|parts| &parts.end);
    quote! {
        const _: () = {
            #[doc(hidden)]
            #[allow(non_snake_case)]
            #visibility struct __IntoRowBuilders #parameters {
                #(#names: #types,)*
            }

            #[automatically_derived]
            impl #parameters #sdk::rows::IntoRow for #ident #parameters {
                type Builders = __IntoRowBuilders #parameters;

                fn fields() -> ::std::vec::Vec<#sdk::arrow::datatypes::Field> {
                    let mut fields = ::std::vec::Vec::new();
                    #(#schemas)*
                    fields
                }

                fn builders(capacity: usize) -> Self::Builders {
                    __IntoRowBuilders {
                        #(#names: #begins,)*
                    }
                }

                #[inline]
                fn append(self, builders: &mut Self::Builders) {
                    #(#appends)*
                }

                fn append_null(builders: &mut Self::Builders) {
                    #(#nulls)*
                }

                fn finish(
                    builders: Self::Builders,
                    arrays: &mut ::std::vec::Vec<#sdk::arrow::array::ArrayRef>,
                ) -> ::core::result::Result<(), #sdk::Error> {
                    #(#ends)*
                    ::core::result::Result::Ok(())
                }
            }
        };
    }
}

/// The code about one field.
struct Parts {
    /// The type of what the field's column is built with.
    builder: TokenStream,
    /// Adds the column to a schema.
    schema: TokenStream,
    /// Begins the column.
    begin: TokenStream,
    /// Appends the value of one row.
    append: TokenStream,
    /// Appends a null.
    null: TokenStream,
    /// Adds the finished column to the others.
    end: TokenStream,
}

impl Parts {
    fn of(field: &RowField, row: &Row) -> Parts {
        let RowField { ident, ty, source } = field;
        let span = field.span();
        let sdk = row.sdk(span);
        let as_column = quote_spanned!(span=> <#ty as #sdk::rows::IntoColumn>);
        let as_row = quote_spanned!(span=> <#ty as #sdk::rows::IntoRow>);
        match source {
            Source::Column(name) | Source::ColumnOrDefault(name) => Parts {
                builder: quote_spanned!(span=> #as_column::Builder),
                schema: quote_spanned! {span=>
                    fields.push(#sdk::arrow::datatypes::Field::new(
                        #name,
                        #as_column::data_type(),
                        #as_column::NULLABLE,
                    ));
                },
                begin: quote_spanned!(span=> #as_column::builder(capacity)),
                append: quote_spanned!(span=> #as_column::append(self.#ident, &mut builders.#ident);),
                null: quote_spanned!(span=> #as_column::append_null(&mut builders.#ident);),
                end: quote_spanned! {span=>
                    arrays.push(#as_column::finish(builders.#ident)?);
                },
            },
            Source::Flattened => Parts {
                builder: quote_spanned!(span=> #as_row::Builders),
                schema: quote_spanned!(span=> fields.extend(#as_row::fields());),
                begin: quote_spanned!(span=> #as_row::builders(capacity)),
                append: quote_spanned!(span=> #as_row::append(self.#ident, &mut builders.#ident);),
                null: quote_spanned!(span=> #as_row::append_null(&mut builders.#ident);),
                end: quote_spanned!(span=> #as_row::finish(builders.#ident, arrays)?;),
            },
        }
    }
}
