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
    } = row;
    let batch = lifetime
        .clone()
        .unwrap_or_else(|| Lifetime::new("'row", Span::call_site()));
    let parameters = lifetime.as_ref().map(|lifetime| quote!(<#lifetime>));
    let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let columns = fields.iter().filter_map(|field| match &field.source {
        Source::Column(column) => Some(column),
        Source::ColumnOrDefault(_) | Source::Flattened => None,
    });
    let types = fields.iter().map(|field| column_type(field, &batch));
    let refuses = fields.iter().map(|field| refuses_null(field, &batch));
    let finds = fields.iter().map(find);
    let opens = fields.iter().map(open);
    let reads = fields.iter().map(|field| read(field, &batch));
    quote! {
        const _: () = {
            #[doc(hidden)]
            #[derive(::core::clone::Clone)]
            #visibility struct __FromRowColumns<#batch> {
                #(#names: #types,)*
            }

            #[automatically_derived]
            impl<#batch> ::weir_plugin::rows::FromRow<#batch> for #ident #parameters {
                type Columns = __FromRowColumns<#batch>;

                const COLUMNS: &'static [&'static str] = &[#(#columns),*];

                const REFUSES_NULL: bool = #(#refuses)||*;

                fn find(
                    fields: &::weir_plugin::arrow::datatypes::Fields,
                    faults: &mut ::weir_plugin::rows::Faults,
                ) -> ::weir_plugin::rows::Layout {
                    let mut finder = ::weir_plugin::rows::Finder::new(fields, faults);
                    #(#finds)*
                    finder.finish()
                }

                fn columns(
                    arrays: &#batch [::weir_plugin::arrow::array::ArrayRef],
                    layout: &::weir_plugin::rows::Layout,
                ) -> ::core::option::Option<Self::Columns> {
                    let mut places = layout.places(arrays);
                    ::core::option::Option::Some(__FromRowColumns {
                        #(#names: #opens,)*
                    })
                }

                #[inline]
                fn row(
                    columns: &Self::Columns,
                    row: usize,
                ) -> ::core::result::Result<Self, ::weir_plugin::rows::NullValue> {
                    ::core::result::Result::Ok(Self {
                        #(#names: #reads,)*
                    })
                }
            }
        };
    }
}

/// What is kept of the field's column for the time of a batch.
fn column_type(field: &RowField, batch: &Lifetime) -> TokenStream {
    let (ty, span) = (&field.ty, field.span());
    match field.source {
        Source::Column(_) => quote_spanned! {span=>
            <#ty as ::weir_plugin::rows::FromColumn<#batch>>::Column
        },
        Source::ColumnOrDefault(_) => quote_spanned! {span=>
            ::core::option::Option<<#ty as ::weir_plugin::rows::FromColumn<#batch>>::Column>
        },
        Source::Flattened => quote_spanned! {span=>
            <#ty as ::weir_plugin::rows::FromRow<#batch>>::Columns
        },
    }
}

fn refuses_null(field: &RowField, batch: &Lifetime) -> TokenStream {
    let (ty, span) = (&field.ty, field.span());
    match field.source {
        Source::Column(_) => quote_spanned! {span=>
            <#ty as ::weir_plugin::rows::FromColumn<#batch>>::REFUSES_NULL
        },
        Source::ColumnOrDefault(_) => quote_spanned! {span=>
            <#ty as ::weir_plugin::rows::FromColumn<#batch>>::REFUSES_NULL_WITHIN
        },
        Source::Flattened => quote_spanned! {span=>
            <#ty as ::weir_plugin::rows::FromRow<#batch>>::REFUSES_NULL
        },
    }
}

/// Looks for the field's column in a schema.
fn find(field: &RowField) -> TokenStream {
    let (ty, span) = (&field.ty, field.span());
    match &field.source {
        Source::Column(column) => quote_spanned! {span=> finder.column::<#ty>(#column); },
        Source::ColumnOrDefault(column) => {
            quote_spanned! {span=> finder.column_or_default::<#ty>(#column); }
        }
        Source::Flattened => quote_spanned! {span=> finder.flattened::<#ty>(); },
    }
}

/// Takes the field's column from a batch.
fn open(field: &RowField) -> TokenStream {
    let (ty, span) = (&field.ty, field.span());
    match field.source {
        Source::Column(_) => quote_spanned! {span=> places.column::<#ty>()? },
        Source::ColumnOrDefault(_) => {
            quote_spanned! {span=> places.column_or_default::<#ty>()? }
        }
        Source::Flattened => quote_spanned! {span=> places.flattened::<#ty>()? },
    }
}

/// Reads the field's value of one row.
fn read(field: &RowField, batch: &Lifetime) -> TokenStream {
    let RowField { ident, ty, source } = field;
    let span = field.span();
    match source {
        Source::Column(column) => quote_spanned! {span=>
            ::weir_plugin::rows::required(
                <#ty as ::weir_plugin::rows::FromColumn<#batch>>::get(&columns.#ident, row),
                #column,
            )?
        },
        Source::ColumnOrDefault(column) => quote_spanned! {span=>
            ::weir_plugin::rows::or_default::<#ty>(columns.#ident.as_ref(), row, #column)?
        },
        Source::Flattened => quote_spanned! {span=>
            <#ty as ::weir_plugin::rows::FromRow<#batch>>::row(&columns.#ident, row)?
        },
    }
}
