import WeirConnectorKit

/// Imports a catalogue of Known Exploited Vulnerabilities, such as CISA publishes it, as STIX 2.1 vulnerabilities.
@main
struct KEVConnector {
    static func main() async {
        await ConnectorHelper.program {
            let configuration = try ConnectorConfiguration.load()
            let address = try configuration.requiredText(
                "KEV_CATALOG_URL", section: "kev", key: "catalog_url",
                example: "file:known_exploited_vulnerabilities.json")
            let helper = try await ConnectorHelper(configuration: configuration)
            try await helper.scheduleISO(
                messageCallback: { try await run(helper, address) },
                durationPeriod: configuration.durationPeriod ?? "P1D")
        }
    }

    /// What is remembered from run to run.
    struct Progress: Codable {
        var version: String
    }

    /// One run: fetches the catalogue, and sends it unless it is the one that was sent last.
    static func run(_ helper: ConnectorHelper, _ address: String) async throws {
        let catalog = try Catalog(json: try await helper.fetch(address))
        let progress = try helper.state?.decode(Progress.self)
        guard progress?.version != catalog.catalogVersion else {
            return helper.log.info("The catalogue has not changed.", ["version": .string(catalog.catalogVersion)])
        }
        let work = try await helper.initiateWork("KEV \(catalog.catalogVersion)")
        let bundle = catalog.bundle
        try await helper.send(bundle, work: work)
        let count = catalog.vulnerabilities.count
        try await helper.toProcessed(work, message: "\(count) vulnerabilities of \(catalog.catalogVersion)")
        helper.state = try ConnectorState(encoding: Progress(version: catalog.catalogVersion))
        helper.log.info("The catalogue was sent.", ["vulnerabilities": .integer(Int64(count))])
    }
}
