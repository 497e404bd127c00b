/// The types of objects that OpenCTI imports, by their names in STIX. Source: pycti 7 (`supported_types`).
enum STIXTypes {
    static let known: Set<String> = [
        // What OpenCTI calls entities.
        "attack-pattern", "campaign", "case-incident", "x-opencti-case-incident", "case-rfi", "x-opencti-case-rfi",
        "case-rft", "x-opencti-case-rft", "channel", "course-of-action", "data-component", "x-mitre-data-component",
        "data-source", "x-mitre-data-source", "event", "external-reference", "feedback", "x-opencti-feedback",
        "grouping", "identity", "incident", "indicator", "infrastructure", "intrusion-set", "kill-chain-phase", "label",
        "language", "location", "malware", "malware-analysis", "marking-definition", "narrative", "note",
        "observed-data", "opinion", "report", "security-coverage", "security-coverage-result", "task", "threat-actor",
        "tool", "vocabulary", "vulnerability", "x-opencti-task",
        // Its own administration.
        "capability", "deleteoperation", "draftworkspace", "group", "notification", "pir", "playbook",
        "publicdashboard", "role", "settings", "trash", "user", "work", "workspace",
        // What can be observed.
        "ai-prompt", "artifact", "autonomous-system", "bank-account", "credential", "cryptocurrency-wallet",
        "cryptographic-key", "directory", "domain-name", "email-addr", "email-message", "email-mime-part-type", "file",
        "hostname", "iccid", "imei", "imsi", "ipv4-addr", "ipv6-addr", "mac-addr", "media-content", "mutex",
        "network-traffic", "payment-card", "persona", "phone-number", "process", "simple-observable", "software",
        "ssh-key", "text", "tracking-number", "url", "user-account", "user-agent", "windows-registry-key",
        "windows-registry-value-type", "x509-certificate",
        // What connects them.
        "relationship", "sighting",
    ]

    /// What does not look like an identifier of STIX is an internal one of OpenCTI, and passes.
    static func isKnown(identifier: String) -> Bool {
        guard let dashes = identifier.firstRange(of: "--") else { return true }
        return known.contains(String(identifier[..<dashes.lowerBound]))
    }
}
