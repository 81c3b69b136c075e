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
    } = row;
    let parameters = lifetime.as_ref().map(|lifetime| quote!(<#lifetime>));
    let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let types = fields.iter().map(|field| {
        let Parts {
            ty,
            of,
            builder,
            span,
            ..
        } = Parts::of(field);
        quote_spanned!(span=> <#ty as #of>::#builder)
    });
    let schemas = fields.iter().map(|field| {
        let (ty, span) = (&field.ty, field.span());
        match &field.source {
            Source::Column(column) | Source::ColumnOrDefault(column) => quote_spanned! {span=>
                fields.push(::weir_plugin::arrow::datatypes::Field::new(
                    #column,
                    <#ty as ::weir_plugin::rows::IntoColumn>::data_type(),
                    <#ty as ::weir_plugin::rows::IntoColumn>::NULLABLE,
                ));
            },
            Source::Flattened => quote_spanned! {span=>
                fields.extend(<#ty as ::weir_plugin::rows::IntoRow>::fields());
            },
        }
    });
    let begins = fields.iter().map(|field| {
        let Parts {
            ty,
            of,
            begin,
            span,
            ..
        } = Parts::of(field);
        quote_spanned!(span=> <#ty as #of>::#begin(capacity))
    });
    let appends = fields.iter().map(|field| {
        let Parts {
            name, ty, of, span, ..
        } = Parts::of(field);
        quote_spanned!(span=> <#ty as #of>::append(self.#name, &mut builders.#name);)
    });
    let nulls = fields.iter().map(|field| {
        let Parts {
            name, ty, of, span, ..
        } = Parts::of(field);
        quote_spanned!(span=> <#ty as #of>::append_null(&mut builders.#name);)
    });
    let ends = fields.iter().map(|field| {
        let Parts {
            name, ty, of, span, ..
        } = Parts::of(field);
        match field.source {
            Source::Flattened => {
                quote_spanned!(span=> <#ty as #of>::finish(builders.#name, arrays)?;)
            }
            Source::Column(_) | Source::ColumnOrDefault(_) => {
                quote_spanned!(span=> arrays.push(<#ty as #of>::finish(builders.#name)?);)
            }
        }
    });
    quote! {
        const _: () = {
            #[doc(hidden)]
            #visibility struct __IntoRowBuilders #parameters {
                #(#names: #types,)*
            }

            #[automatically_derived]
            impl #parameters ::weir_plugin::rows::IntoRow for #ident #parameters {
                type Builders = __IntoRowBuilders #parameters;

                fn fields() -> ::std::vec::Vec<::weir_plugin::arrow::datatypes::Field> {
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
                    arrays: &mut ::std::vec::Vec<::weir_plugin::arrow::array::ArrayRef>,
                ) -> ::core::result::Result<(), ::weir_plugin::Error> {
                    #(#ends)*
                    ::core::result::Result::Ok(())
                }
            }
        };
    }
}

/// What a column's code and a flattened field's differ in.
struct Parts<'a> {
    name: &'a syn::Ident,
    ty: &'a syn::Type,
    span: Span,
    of: TokenStream,
    builder: TokenStream,
    begin: TokenStream,
}

impl Parts<'_> {
    fn of(field: &RowField) -> Parts<'_> {
        let RowField { ident, ty, source } = field;
        let (of, builder, begin) = match source {
            Source::Column(_) | Source::ColumnOrDefault(_) => (
                quote!(::weir_plugin::rows::IntoColumn),
                quote!(Builder),
                quote!(builder),
            ),
            Source::Flattened => (
                quote!(::weir_plugin::rows::IntoRow),
                quote!(Builders),
                quote!(builders),
            ),
        };
        Parts {
            name: ident,
            ty,
            span: field.span(),
            of,
            builder,
            begin,
        }
    }
}
