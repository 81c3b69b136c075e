//! A struct whose values are rows, checked.

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Field, Fields, GenericParam, Ident, Lifetime, LitStr, Result, Type,
    Visibility,
};

use crate::case::Case;

/// A struct with named fields and at most one lifetime.
pub(crate) struct Row {
    pub(crate) ident: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) lifetime: Option<Lifetime>,
    /// At least one.
    pub(crate) fields: Vec<RowField>,
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
        let lifetime = errors.take(lifetime(&input)).flatten();
        let case = errors.take(case(&input)).flatten();
        let named = match input.data {
            Data::Struct(data) => match data.fields {
                Fields::Named(fields) => Some(fields.named),
                Fields::Unnamed(_) | Fields::Unit => None,
            },
            Data::Enum(_) | Data::Union(_) => None,
        };
        let Some(named) = named.filter(|fields| !fields.is_empty()) else {
            errors.add(Error::new(
                input.ident.span(),
                "a row is a struct with named fields: one for each column",
            ));
            return Err(errors.into_error(input.ident.span()));
        };
        let mut fields = Vec::with_capacity(named.len());
        let mut columns = BTreeMap::new();
        for field in named {
            let Some(field) = errors.take(RowField::parse(&field, case)) else {
                continue;
            };
            if let Source::Column(column) | Source::ColumnOrDefault(column) = &field.source
                && let Some(first) = columns.insert(column.clone(), field.ident.clone())
            {
                errors.add(Error::new(
                    field.ident.span(),
                    format!("the column `{column}` is the field `{first}` already"),
                ));
            }
            fields.push(field);
        }
        if !errors.is_empty() {
            return Err(errors.into_error(input.ident.span()));
        }
        Ok(Row {
            ident: input.ident,
            visibility: input.vis,
            lifetime,
            fields,
        })
    }
}

fn lifetime(input: &DeriveInput) -> Result<Option<Lifetime>> {
    let mut lifetime = None;
    for parameter in &input.generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) if lifetime.is_none() => {
                lifetime = Some(parameter.lifetime.clone());
            }
            GenericParam::Lifetime(second) => {
                return Err(Error::new(
                    second.span(),
                    "a row borrows from one batch: it has one lifetime at most",
                ));
            }
            GenericParam::Type(_) | GenericParam::Const(_) => {
                return Err(Error::new(
                    parameter.span(),
                    "a row's columns have one type each: it has no parameters but a lifetime",
                ));
            }
        }
    }
    Ok(lifetime)
}

fn case(input: &DeriveInput) -> Result<Option<Case>> {
    let mut case = None;
    for attribute in input
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("row"))
    {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename_all") {
                return Err(meta.error("a struct has the attribute `rename_all = \"…\"` only"));
            }
            let name: LitStr = meta.value()?.parse()?;
            let named = Case::named(&name.value()).ok_or_else(|| {
                Error::new(name.span(), format!("the cases are {}", Case::names()))
            })?;
            set_once(&mut case, named, &meta)
        })?;
    }
    Ok(case)
}

impl RowField {
    /// Where code about the field's type is reported: at the type. Names are resolved as everywhere
    /// else in the code, or a struct that a macro writes could not be derived.
    pub(crate) fn span(&self) -> Span {
        Span::call_site().located_at(self.ty.span())
    }

    fn parse(field: &Field, case: Option<Case>) -> Result<RowField> {
        let (mut rename, mut default, mut flatten) = (None, None, None);
        for attribute in field
            .attrs
            .iter()
            .filter(|attr| attr.path().is_ident("row"))
        {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    let name: LitStr = meta.value()?.parse()?;
                    set_once(&mut rename, name.value(), &meta)
                } else if meta.path.is_ident("default") {
                    set_once(&mut default, (), &meta)
                } else if meta.path.is_ident("flatten") {
                    set_once(&mut flatten, (), &meta)
                } else {
                    Err(meta.error(
                        "a field has the attributes `rename = \"…\"`, `default` and `flatten`",
                    ))
                }
            })?;
        }
        // The parser of structs with named fields has seen to it that there is one.
        let ident = field
            .ident
            .clone()
            .ok_or_else(|| Error::new(field.span(), "a field of a row has a name"))?;
        let source = match (flatten, rename, default) {
            (Some(()), None, None) => Source::Flattened,
            (Some(()), ..) => {
                return Err(Error::new(
                    ident.span(),
                    "a flattened field has no column of its own: `rename` and `default` are for its fields",
                ));
            }
            (None, rename, default) => {
                let column = rename.unwrap_or_else(|| {
                    let name = ident.unraw().to_string();
                    case.map_or(name.clone(), |case| case.apply(&name))
                });
                match default {
                    None => Source::Column(column),
                    Some(()) => Source::ColumnOrDefault(column),
                }
            }
        };
        Ok(RowField {
            ident,
            ty: field.ty.clone(),
            source,
        })
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error("given twice")),
    }
}

/// Errors found so far, to be reported together.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn into_error(self, place: Span) -> Error {
        self.0.unwrap_or_else(|| Error::new(place, "no row"))
    }
}
