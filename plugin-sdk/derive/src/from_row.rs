//! `Row` → the code of `FromRow`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Lifetime;

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
    let batch = lifetime
        .clone()
        .unwrap_or_else(|| Lifetime::new("'row", Span::call_site()));
    let parameters = lifetime.as_ref().map(|lifetime| quote!(<#lifetime>));
    let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let columns = fields.iter().filter_map(|field| match &field.source {
        Source::Column(column) => Some(column),
        Source::ColumnOrDefault(_) | Source::Flattened => None,
    });
    let parts: Vec<_> = fields
        .iter()
        .map(|field| Parts::of(field, row, &batch))
        .collect();
    let types = parts.iter().map(|parts| &parts.column);
    let refuses = parts.iter().map(|parts| &parts.refuses);
    let finds = parts.iter().map(|parts| &parts.find);
    let opens = parts.iter().map(|parts| &parts.open);
    let reads = parts.iter().map(|parts| &parts.read);
    quote! {
        const _: () = {
            #[doc(hidden)]
            #[allow(non_snake_case)]
            #[derive(::core::clone::Clone)]
            #visibility struct __FromRowColumns<#batch> {
                #(#names: #types,)*
            }

            #[automatically_derived]
            impl<#batch> #sdk::rows::FromRow<#batch> for #ident #parameters {
                type Columns = __FromRowColumns<#batch>;

                const COLUMNS: &'static [&'static str] = &[#(#columns),*];

                const REFUSES: bool = #(#refuses)||*;

                fn find(
                    fields: &#sdk::arrow::datatypes::Fields,
                    faults: &mut #sdk::rows::Faults,
                ) -> #sdk::rows::Fitted {
                    let mut finder = #sdk::rows::Finder::new(fields, faults);
                    #(#finds)*
                    finder.finish()
                }

                fn columns(
                    arrays: &#batch [#sdk::arrow::array::ArrayRef],
                    fitted: &#sdk::rows::Fitted,
                ) -> ::core::option::Option<Self::Columns> {
                    let mut places = fitted.places(arrays);
                    ::core::option::Option::Some(__FromRowColumns {
                        #(#names: #opens,)*
                    })
                }

                #[inline]
                fn row(
                    columns: &Self::Columns,
                    row: usize,
                ) -> ::core::result::Result<Self, #sdk::rows::Unreadable> {
                    ::core::result::Result::Ok(Self {
                        #(#names: #reads,)*
                    })
                }
            }
        };
    }
}

/// The code about one field.
struct Parts {
    /// The type of what is kept of the field's column for the time of a batch.
    column: TokenStream,
    /// Whether there are values of the column that make a row unreadable.
    refuses: TokenStream,
    /// Looks for the column in a schema.
    find: TokenStream,
    /// Takes the column from a batch.
    open: TokenStream,
    /// Reads the value of one row.
    read: TokenStream,
}

impl Parts {
    fn of(field: &RowField, row: &Row, batch: &Lifetime) -> Parts {
        let RowField { ident, ty, source } = field;
        let span = field.span();
        let sdk = row.sdk(span);
        let as_column = quote_spanned!(span=> <#ty as #sdk::rows::FromColumn<#batch>>);
        let as_row = quote_spanned!(span=> <#ty as #sdk::rows::FromRow<#batch>>);
        match source {
            Source::Column(name) => Parts {
                column: quote_spanned!(span=> #as_column::Column),
                refuses: quote_spanned!(span=> #as_column::REFUSES),
                find: quote_spanned!(span=> finder.column::<#ty>(#name);),
                open: quote_spanned!(span=> places.column::<#ty>()?),
                read: quote_spanned! {span=>
                    #sdk::rows::required(#as_column::get(&columns.#ident, row), #name)?
                },
            },
            Source::ColumnOrDefault(name) => Parts {
                column: quote_spanned!(span=> ::core::option::Option<#as_column::Column>),
                refuses: quote_spanned!(span=> #as_column::REFUSES_WITHIN),
                find: quote_spanned!(span=> finder.column_or_default::<#ty>(#name);),
                open: quote_spanned!(span=> places.column_or_default::<#ty>()?),
                read: quote_spanned! {span=>
                    #sdk::rows::or_default::<#ty>(columns.#ident.as_ref(), row, #name)?
                },
            },
            Source::Flattened => Parts {
                column: quote_spanned!(span=> #as_row::Columns),
                refuses: quote_spanned!(span=> #as_row::REFUSES),
                find: quote_spanned!(span=> finder.flattened::<#ty>();),
                open: quote_spanned!(span=> places.flattened::<#ty>()?),
                read: quote_spanned!(span=> #as_row::row(&columns.#ident, row)?),
            },
        }
    }
}
