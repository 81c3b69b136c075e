//! Every hostile guest can be made.

#[test]
fn every_guest_is_made() {
    for guest in weir_roster::GUESTS {
        let bytes = guest.component();
        println!("{} {} {}", guest.name, bytes.len(), guest.about);
    }
}
