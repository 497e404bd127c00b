package import WeirDelivery
import WeirDestinations
package import WeirSettings
import WeirSources

/// One source as it was configured.
package struct SourceEntry: SettingUnion {
    package static let catalog = SettingCatalog<NoSettings>(noun: "source", kinds: SourceCatalog.settings)
    package var typed: TypedSettings<NoSettings>
    package init(_ typed: TypedSettings<NoSettings>) { self.typed = typed }
}

/// One destination as it was configured: its own settings and those that all destinations have.
package struct DestinationEntry: SettingUnion {
    package static let catalog = SettingCatalog(
        noun: "destination", common: DeliverySettings.self,
        kinds: DestinationCatalog.kinds)
    package var typed: TypedSettings<DeliverySettings>
    package init(_ typed: TypedSettings<DeliverySettings>) { self.typed = typed }
}
