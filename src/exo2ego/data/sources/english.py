"""A little English: articles, past tense, verbs in the first person, sentences.

Closed lists hold what no rule tells; each function's examples are its contract.
"""

import re


def _words(text: str) -> frozenset[str]:
    """A closed list, written as a block of words."""
    return frozenset(text.split())


MASS = _words("""
    air bacon beer bleach bread broth butter cabbage cash cheese chocolate clay cleaner cloth clothing coffee
    coriander cornstarch cotton cream detergent dirt dough dust fabric flour foil food fruit furniture garbage
    garlic ginger glue gum hair honey ice ink insulation jam jelly juice ketchup laundry lemonade lettuce liquid
    lotion luggage margarine mayonnaise meat medicine milk money mud mustard oil paint paper pasta pepper
    plastic plasticine playdough pork powder rice rope salt sand sauce shampoo smoke soap soda soil soup soy
    spice sugar tape tea thread tissue tofu toothpaste trash vinegar vodka water wax whiskey wine wire wood wool
    yarn yogurt
""")
"""Nouns that take no "a"; some can, and then read well without it too."""
PLURAL = _words("""
    children clothes feet glasses men mice pants people pliers scissors sunglasses teeth tweezers women
""")
SINGULAR_S = _words("""
    asparagus atlas bias brass bus cactus canvas chess christmas citrus compass cutlass dress gas glass grass
    hourglass hummus iris lens mattress news octopus plus princess process sunglass tennis virus
""")
DETERMINED = re.compile(
    r"(?:the|an?|some|any|this|that|these|those|my|your|his|her|its|our|their|one|two|three|four|five|six|seven|eight|"
    r"nine|ten|no|none|nothing|something|somebody|someone|everything|anything|another|both|all|many|several|few|each|"
    r"every|half|more|most|other|multiple|various|i|you|he|she|it|they|we|there|yes|person|\d[\d.,]*)\b",
    re.IGNORECASE,
)
NOT_AN = re.compile(r"(?:uni(?!n)|use|usb|usual|euro|eu|one\b|once\b|ut(?:ensil|ility))", re.IGNORECASE)
IRREGULAR_PAST = dict(
    pair.split(":")
    for pair in _words("""
    be:was become:became begin:began bend:bent bite:bit blow:blew break:broke bring:brought build:built
    buy:bought catch:caught choose:chose come:came cut:cut deal:dealt dig:dug do:did draw:drew drink:drank
    drive:drove eat:ate fall:fell feed:fed feel:felt fight:fought find:found fly:flew fold:folded forget:forgot
    get:got give:gave go:went grind:ground grow:grew hang:hung have:had hear:heard hide:hid hit:hit hold:held
    keep:kept knit:knitted know:knew lay:laid lead:led lean:leaned leave:left lend:lent let:let lie:lay
    light:lit lose:lost make:made mean:meant meet:met pay:paid put:put read:read ride:rode ring:rang run:ran
    say:said see:saw sell:sold send:sent set:set sew:sewed shake:shook shoot:shot show:showed shut:shut
    sing:sang sit:sat sleep:slept slide:slid speak:spoke spend:spent spill:spilled spin:spun split:split
    spread:spread stand:stood steal:stole stick:stuck sweep:swept swim:swam swing:swung take:took teach:taught
    tear:tore tell:told think:thought throw:threw understand:understood unwind:unwound wake:woke wear:wore
    win:won wind:wound wipe:wiped write:wrote
    """)
)
PAST_FORMS = frozenset(IRREGULAR_PAST.values())
DOUBLED = _words("""
    bag beg chat chop clap clip cram cup dab dig dip drag drip drop drum fan fit flap flip get grab grip hop hug
    jam jog knit lag let lid log map mop nod pad pat peg pin pit plan plug pop prop put rap rip rob rub run scan
    scrap scrub set shop shut sip sit skim skip slam slip slit snap snip sob spin spit split spot squat stab
    step stir stop strap strip stun swap swim tag tap tip top transfer trap trim trip tug unplug unwrap unzip
    wag wrap zip
""")
"""Verbs that double their last letter before -ed and -ing."""
VERBS = _words("""
    add adjust adopt align apply arrange ask assemble attach bake beat bend blanch blend block boil bowl bring
    brush build call carry catch change check chop clamp clean clear close coat collect combine connect continue
    control cook cool cover crack crush cut deep-fry detach dice dip discard display dissolve divide drain draw
    drink drip drop dry dump eat empty extract fasten fill filter finish fix flatten flip fold fry gather get
    give go grab grasp grate grind grip hammer hang heat hold ignite immerse inject insert install join keep
    knead ladle lay lean leave let lie lift light load look loosen lower make marinate mash massage measure melt
    mince mix move observe obtain open operate pack pass peel pick pinch place plug poke position pour preheat
    prepare press pry pull push put raise re-fry reach read reheat release remove repeat replace retrieve return
    rinse roll rotate rub run saute sauté scatter scoop scrape screw scrub seal season select separate serve set
    shake sharpen shift show shred simmer sit skim slice slide smash smear snap soak sort speak spin split spoon
    spread sprinkle squeeze stack stand start steam stew stick stir stir-fry stop straighten strain stuff suck
    support sweep switch take tap taste tear throw tidy tie tighten tilt tip toss touch transfer trim try turn
    twist unfold unplug unscrew unwrap use wait walk warm wash watch wear weigh whisk wipe wrap write
""")
"""Verbs that begin instructions in kitchens, laboratories and homes."""
UNINFLECTED_ES = re.compile(r"(?:ss|sh|ch|x|zz|o)es$")
BASE_OF = {"is": "am", "has": "have", "does": "do", "was": "was", "goes": "go", "isn't": "am not", "doesn't": "do not"}


def sentence(text: str) -> str:
    """Single blanks, a capital at the beginning, one full stop at the end.

    >>> sentence("  on the  table ."), sentence("Is it?"), sentence("iPhone")
    ('On the table.', 'Is it?', 'IPhone.')
    """
    words = " ".join(text.split())
    words = re.sub(r"\s+([.,;!?])", r"\1", words)
    if words[-1:] not in "!?":
        words = words.rstrip(" .,;:") + "."
    return words[:1].upper() + words[1:]


def with_article(noun: str) -> str:
    """A noun as it stands in a sentence at its first mention.

    >>> [with_article(noun) for noun in ("potato", "egg", "pair of socks", "water", "two cups", "cups", "my hand")]
    ['a potato', 'an egg', 'a pair of socks', 'water', 'two cups', 'cups', 'my hand']
    """
    noun = " ".join(noun.split())
    if not noun or DETERMINED.match(noun) or is_plural(noun) or head(noun) in MASS:
        return noun
    return f"{'an' if takes_an(noun) else 'a'} {noun}"


def takes_an(noun: str) -> bool:
    """Whether "an" goes before it.

    >>> [takes_an(n) for n in ("egg", "unicorn", "utensil", "umbrella", "hour", "TV", "HP laptop", "cup", "one")]
    [True, False, False, True, True, False, True, False, False]
    """
    if NOT_AN.match(noun):
        return False
    first = noun.partition(" ")[0]
    if first.isupper() and len(first) <= 4 and first.isalpha():
        return first[0] in "AEFHILMNORSX"  # spelled out: "an HP laptop"
    return bool(re.match(r"(?:[aeiou]|hour|honest|heir|x-ray)", noun, re.IGNORECASE))


def mend_articles(text: str) -> str:
    """The article that each word takes, where somebody has written the other one or both.

    >>> mend_articles("a an armchair, a umbrella and an bed")
    'an armchair, an umbrella and a bed'
    """
    return re.sub(r"\b(?:an?) (?:an? )?(?=(\w[\w'-]*))", lambda found: "an " if takes_an(found[1]) else "a ", text)


def head(noun: str) -> str:
    """The word that a noun phrase is about: "piece" of "small piece of paper"."""
    before = re.split(
        r"\b(?:of|with|on|in|from|for|at|under|behind|by|next|near|that|which|to|containing)\b", noun.lower()
    )[0]
    return (before.split() or noun.lower().split() or [""])[-1].strip(".,;!?'\"")


def is_plural(noun: str) -> bool:
    """Whether a noun phrase speaks of several things, as far as its head tells.

    >>> [is_plural(n) for n in ("cups", "glass", "cups of tea", "cup of beans", "scissors", "pen and pencil")]
    [True, False, True, False, True, True]
    """
    word = head(noun)
    if " and " in noun and not re.search(r"\b(?:black|white|red|green|blue|salt) and\b", noun.lower()):
        return True
    if word in PLURAL:
        return True
    return len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")) and word not in SINGULAR_S


def past(verb: str) -> str:
    """Past tense of a verb in its base form.

    >>> [past(v) for v in ("pick", "put", "carry", "drop", "place", "wash", "throw", "stir", "play")]
    ['picked', 'put', 'carried', 'dropped', 'placed', 'washed', 'threw', 'stirred', 'played']
    """
    if verb in IRREGULAR_PAST:
        return IRREGULAR_PAST[verb]
    if verb.endswith("e"):
        return f"{verb}d"
    if re.search(r"[^aeiou]y$", verb):
        return f"{verb[:-1]}ied"
    return f"{verb}{verb[-1] if verb in DOUBLED else ''}ed"


def is_past(word: str) -> bool:
    """Whether a word can be a past tense ("picked", "put", "threw")."""
    return word in PAST_FORMS or (
        word.endswith("ed") and len(word) > 3 and word not in {"need", "feed", "seed", "weed"}
    )


def base_of_third(verb: str) -> str:
    """What "I" do where somebody else "does".

    >>> [base_of_third(v) for v in ("picks", "washes", "carries", "is", "uses", "presses", "does", "places", "mixes")]
    ['pick', 'wash', 'carry', 'am', 'use', 'press', 'do', 'place', 'mix']
    """
    if verb in BASE_OF:
        return BASE_OF[verb]
    if verb.endswith("ies") and len(verb) > 4:
        return f"{verb[:-3]}y"
    if UNINFLECTED_ES.search(verb):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith(("ss", "us")) else verb
