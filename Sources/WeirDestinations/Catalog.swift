package import WeirSettings

/// Every destination that Weir has: one line each.
///
/// Adding one: a file with its settings, `open`, `send`, `close` and (where it differs) its code table; a line here; a
/// line in `DestinationContractTests`; an example. The reference page comes from the settings.
package enum DestinationCatalog {
    package static let all: [any DestinationSettings.Type] = [
        HTTPDestination.Settings.self,
        SplunkHECDestination.Settings.self,
        ElasticsearchDestination.Settings.self,
        TCPDestination.Settings.self,
        SyslogDestination.Settings.self,
        UDPDestination.Settings.self,
        FilesystemDestination.Settings.self,
        StdoutDestination.Settings.self,
        DropDestination.Settings.self,
        RouterDestination.Settings.self,
        BalanceDestination.Settings.self,
        FallbackDestination.Settings.self,
    ]

    /// For the reader of configurations (`SettingCatalog`).
    package static let kinds: [SettingKind] = all.map { kind($0) }

    private static func kind<Own: DestinationSettings>(_ own: Own.Type) -> SettingKind {
        SettingKind(own.type, own, aliases: own.aliases, own.summary)
    }

    /// Plans what the reader read: `TypedSettings.own`. Problems are in `planning`; `nil` when there was an error.
    package static func outline(_ own: any Settings, _ planning: inout DestinationPlanning) -> DestinationOutline? {
        guard let settings = own as? any DestinationSettings else {
            preconditionFailure("\(type(of: own)) is not in the catalogue of destinations")
        }
        return settings.plan(&planning)
    }
}
