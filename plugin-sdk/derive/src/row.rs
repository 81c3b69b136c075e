//! A struct whose values are rows, checked.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, GenericParam, Generics, Ident, Lifetime,
    LitStr, Path, Result, Token, Type, Visibility, parse_quote,
};

use crate::case::Case;

/// A struct with named fields and at most one lifetime.
pub(crate) struct Row {
    pub(crate) ident: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) lifetime: Option<Lifetime>,
    /// At least one.
    pub(crate) fields: Vec<RowField>,
    /// Where the SDK is.
    sdk: Path,
}

pub(crate) struct RowField {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) source: Source,
}

/// Where a field's values come from, and where they go to.
pub(crate) enum Source {
    /// The column of this name.
    Column(String),
    /// The same; where it is missing or null, the field has its default.
    ColumnOrDefault(String),
    /// The columns of the field's own fields, beside this struct's.
    Flattened,
}

impl Row {
    /// Reads the struct and its attributes.
    ///
    /// # Errors
    /// All that is wrong with them, each on its span.
    pub(crate) fn parse(input: DeriveInput) -> Result<Row> {
        let mut errors = Errors::default();
        let lifetime = lifetime(&input.generics, &mut errors);
        let Container {
            case,
            case_is_known,
            sdk,
        } = Container::parse(&input.attrs, &mut errors);
        let named = match input.data {
            Data::Struct(data) => match data.fields {
                Fields::Named(fields) => Some(fields.named),
                Fields::Unnamed(_) | Fields::Unit => None,
            },
            Data::Enum(_) | Data::Union(_) => None,
        };
        let named = named.unwrap_or_default();
        if named.is_empty() {
            errors.add(Error::new(
                input.ident.span(),
                "a row is a struct with named fields: one for each column",
            ));
        }
        let mut fields = Vec::with_capacity(named.len());
        let mut columns = BTreeMap::new();
        for field in named {
            let Some(field) = RowField::parse(&field, case, &mut errors) else {
                continue;
            };
            // Under a case that does not exist, nobody knows which names are the same.
            if case_is_known
                && let Source::Column(column) | Source::ColumnOrDefault(column) = &field.source
                && let Some(first) = columns.insert(column.clone(), field.ident.clone())
            {
                errors.add(Error::new(
                    field.ident.span(),
                    format!("the column `{column}` is the field `{first}` already"),
                ));
            }
            fields.push(field);
        }
        errors.into_result()?;
        Ok(Row {
            ident: input.ident,
            visibility: input.vis,
            lifetime,
            fields,
            sdk: sdk.unwrap_or_else(|| parse_quote!(::weir_plugin)),
        })
    }

    /// The path of the SDK's crate, for code that is reported at `span`.
    pub(crate) fn sdk(&self, span: Span) -> TokenStream {
        let path = self.sdk.to_token_stream().into_iter();
        path.map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
    }
}

fn lifetime(generics: &Generics, errors: &mut Errors) -> Option<Lifetime> {
    let mut lifetime = None;
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) if lifetime.is_none() => {
                lifetime = Some(parameter.lifetime.clone());
            }
            GenericParam::Lifetime(second) => errors.add(Error::new(
                second.span(),
                "a row borrows from one batch: it has one lifetime at most",
            )),
            GenericParam::Type(_) | GenericParam::Const(_) => errors.add(Error::new(
                parameter.span(),
                "a row's columns have one type each: it has no parameters but a lifetime",
            )),
        }
    }
    lifetime
}

/// The attributes of the struct.
struct Container {
    case: Option<Case>,
    /// False if a case was meant that does not exist.
    case_is_known: bool,
    sdk: Option<Path>,
}

impl Container {
    fn parse(attributes: &[Attribute], errors: &mut Errors) -> Container {
        let (mut case, mut sdk) = (None, None);
        let mut case_is_known = true;
        each_meta(attributes, errors, |meta, errors| {
            if meta.path.is_ident("rename_all") {
                let name: LitStr = meta.value()?.parse()?;
                match Case::named(&name.value()) {
                    Some(named) => errors.set_once(&mut case, named, &meta),
                    None => {
                        case_is_known = false;
                        let cases = Case::names();
                        errors.add(Error::new(name.span(), format!("the cases are {cases}")));
                    }
                }
            } else if meta.path.is_ident("crate") {
                let name: LitStr = meta.value()?.parse()?;
                match name.parse_with(Path::parse_mod_style) {
                    Ok(path) => errors.set_once(&mut sdk, path, &meta),
                    Err(_) => errors.add(Error::new(
                        name.span(),
                        "the path of the crate `weir_plugin`, such as `\"::weir_plugin\"`",
                    )),
                }
            } else {
                errors.unknown(
                    &meta,
                    "a struct has the attributes `rename_all = \"…\"` and `crate = \"…\"`",
                )?;
            }
            Ok(())
        });
        Container {
            case,
            case_is_known,
            sdk,
        }
    }
}

impl RowField {
    /// Where code about the field's type is reported: at the type. Names are resolved as everywhere
    /// else in the code, or a struct that a macro writes could not be derived.
    pub(crate) fn span(&self) -> Span {
        Span::call_site().located_at(self.ty.span())
    }

    /// The field, unless something is wrong with its attributes or its name.
    fn parse(field: &Field, case: Option<Case>, errors: &mut Errors) -> Option<RowField> {
        let (mut rename, mut default, mut flatten) = (None, None, None);
        let mut whole = each_meta(&field.attrs, errors, |meta, errors| {
            let place = meta.path.span();
            if meta.path.is_ident("rename") {
                let name: LitStr = meta.value()?.parse()?;
                errors.set_once(&mut rename, (name, place), &meta);
            } else if meta.path.is_ident("default") {
                errors.set_once(&mut default, place, &meta);
            } else if meta.path.is_ident("flatten") {
                errors.set_once(&mut flatten, (), &meta);
            } else {
                errors.unknown(
                    &meta,
                    "a field has the attributes `rename = \"…\"`, `default` and `flatten`",
                )?;
            }
            Ok(())
        });
        // The parser of structs with named fields has seen to it that there is one.
        let Some(ident) = field.ident.clone() else {
            errors.add(Error::new(field.span(), "a field of a row has a name"));
            return None;
        };
        let source = if flatten.is_some() {
            for place in rename.map(|(_, place)| place).into_iter().chain(default) {
                errors.add(Error::new(
                    place,
                    "a flattened field has no column of its own: `rename` and `default` are for its fields",
                ));
            }
            Source::Flattened
        } else {
            let (column, place) = match rename {
                Some((name, _)) => (name.value(), name.span()),
                None => {
                    let name = ident.unraw().to_string();
                    let name = case.map_or(name.clone(), |case| case.apply(&name));
                    (name, ident.span())
                }
            };
            if column.is_empty() {
                errors.add(Error::new(place, "a column has a name: this one is empty"));
                whole = false;
            }
            match default {
                None => Source::Column(column),
                Some(_) => Source::ColumnOrDefault(column),
            }
        };
        whole.then(|| RowField {
            ident,
            ty: field.ty.clone(),
            source,
        })
    }
}

/// Looks at what stands in each `#[row(…)]`. An attribute that cannot be read ends with its first
/// fault; the others are looked at all the same. False if anything was wrong.
fn each_meta(
    attributes: &[Attribute],
    errors: &mut Errors,
    mut look: impl FnMut(ParseNestedMeta<'_>, &mut Errors) -> Result<()>,
) -> bool {
    let before = errors.count();
    for attribute in attributes.iter().filter(|attr| attr.path().is_ident("row")) {
        if let Err(error) = attribute.parse_nested_meta(|meta| look(meta, errors)) {
            errors.add(error);
        }
    }
    errors.count() == before
}

/// Errors found so far, to be reported together.
#[derive(Default)]
struct Errors(Vec<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        self.0.push(error);
    }

    fn set_once<T>(&mut self, slot: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) {
        if slot.replace(value).is_some() {
            self.add(Error::new(meta.path.span(), "given twice"));
        }
    }

    /// Notes an attribute that there is not, and goes past what belongs to it.
    fn unknown(&mut self, meta: &ParseNestedMeta<'_>, there_are: &str) -> Result<()> {
        self.add(Error::new(meta.path.span(), there_are));
        while !meta.input.is_empty() && !meta.input.peek(Token![,]) {
            meta.input.parse::<TokenTree>()?;
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn into_result(self) -> Result<()> {
        let together = self.0.into_iter().reduce(|mut errors, error| {
            errors.combine(error);
            errors
        });
        together.map_or(Ok(()), Err)
    }
}
