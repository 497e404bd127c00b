import Foundation
import WeirConnectorKit

/// The catalogue as it is published.
struct Catalog: Decodable {
    struct Entry: Decodable {
        var cveID: String
        var vendorProject: String
        var product: String
        var vulnerabilityName: String
        /// `2021-11-03`.
        var dateAdded: String
        var shortDescription: String
        var requiredAction: String
        var knownRansomwareCampaignUse: String?
    }

    var catalogVersion: String
    var vulnerabilities: [Entry]

    init(json bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(Catalog.self, from: Data(bytes))
    }
}

extension Catalog {
    /// The catalogue in STIX: its author, and a vulnerability an entry.
    ///
    /// Identifiers are made from names, so that an entry that comes again is the same object.
    var bundle: STIXBundle {
        let author = STIXIdentifier.identity(name: "CISA", identityClass: "organization")
        let identity: JSONObject = [
            "type": "identity", "spec_version": "2.1", "id": .string(author), "created": "2021-11-03T00:00:00.000Z",
            "modified": "2021-11-03T00:00:00.000Z", "name": "CISA", "identity_class": "organization",
            "description": "Cybersecurity and Infrastructure Security Agency",
        ]
        return STIXBundle([identity] + vulnerabilities.map { $0.vulnerability(author: author) })
    }
}

extension Catalog.Entry {
    private var description: String {
        "\(vulnerabilityName) (\(vendorProject) \(product))\n\n\(shortDescription)\n\n\(requiredAction)"
    }

    func vulnerability(author: String) -> JSONObject {
        let added = "\(dateAdded)T00:00:00.000Z"
        var labels: [JSONValue] = ["kev"]
        if knownRansomwareCampaignUse == "Known" { labels.append("ransomware") }
        return [
            "type": "vulnerability", "spec_version": "2.1", "id": .string(STIXIdentifier.vulnerability(name: cveID)),
            "created_by_ref": .string(author), "created": .string(added), "modified": .string(added),
            "name": .string(cveID), "description": .string(description),
            "labels": .array(labels), "x_opencti_cisa_kev": true,
            "external_references": [
                [
                    "source_name": "cve", "external_id": .string(cveID),
                    "url": .string("https://nvd.nist.gov/vuln/detail/\(cveID)"),
                ]
            ],
        ]
    }
}
