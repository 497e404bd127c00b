/// Every destination that Weir has: one line each.
///
/// Adding one: a file with its settings, `open`, `send`, `close` and (where it differs) its code table; a line here; a line in
/// `DestinationContractTests`; an example. The reference page comes from the settings.
package enum DestinationCatalog {
    package static let all: [any DestinationSettings.Type] = [
        HTTPDestination.Settings.self,
        FilesystemDestination.Settings.self,
        TCPDestination.Settings.self,
        StdoutDestination.Settings.self,
        DropDestination.Settings.self,
    ]
}
